/* Where model files are, and which one is used when the wanted one is not installed. */
#ifndef RP_STORE_H
#define RP_STORE_H

#include "models/catalogue.h"

struct rp_store;

/* @param path  model folder; NULL: $REPRISE_MODELS, else the user cache's "models". It need not exist
 *              (then nothing is installed). */
int rp_store_create(struct rp_store **out, const char *path);
void rp_store_destroy(struct rp_store **store);
const char *rp_store_path(const struct rp_store *store);

/* Path of the installed file (heap string) or NULL. A file counts as installed when it is there and
 * not empty; its content is checked by `models --verify` and when it is loaded. */
char *rp_store_file(const struct rp_store *store, const struct rp_model_entry *entry);

/* The file for a model that a job needs.
 *
 * Installed: it. Not installed and `named` (the user asked for it by name): RP_ERR_MISSING and a
 * sentence with the command that fetches it. Not installed and only the default: the lite model of
 * its kind, with one log line (once per process and kind) naming both; RP_ERR_MISSING with the
 * set-up command when that is missing as well. */
int rp_store_resolve(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                     bool named, const struct rp_model_entry **entry, char **path);

/* The command that installs an entry: heap string. */
char *rp_store_fetch_command(const struct rp_store *store, const struct rp_model_entry *entry);

#endif /* RP_STORE_H */
