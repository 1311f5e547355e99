/* A user's own deep swappers: files NAME.dfm (or NAME.onnx) in the folder "custom" of the model
 * folder, with the name "custom/NAME". They are looked for each time, are in no catalogue, and are
 * never fetched or verified.
 *
 * NAME is of letters, digits, blanks and _ - + . ( ), begins with none of " .-", and has at most
 * RP_CUSTOM_NAME bytes; files of other names are not used. Threads: any. */
#ifndef RP_CUSTOM_H
#define RP_CUSTOM_H

#include "models/catalogue.h"

#define RP_CUSTOM_BEGINNING "custom/"
#define RP_CUSTOM_NAME 100

struct rp_customs; /* those that were found, whose entries stay */

int rp_customs_create(struct rp_customs **out);
void rp_customs_destroy(struct rp_customs **customs);

/* Is it, or would it be, the name of such a model? */
bool rp_custom_is(enum rp_model_kind kind, const char *name);

/* @param folder  the model folder
 * RP_ERR_USAGE for a name that cannot be one, RP_ERR_MISSING if there is no such file. */
int rp_customs_find(struct rp_customs *customs, const char *folder, const char *name,
                    const struct rp_model_entry **entry);

/* Call fn for each of them, by name. */
int rp_customs_each(struct rp_customs *customs, const char *folder,
                    int (*fn)(void *priv, const struct rp_model_entry *entry), void *priv);

#endif /* RP_CUSTOM_H */
