/* Where model files are, and which one is used when the wanted one is not installed.
 *
 * A model folder is laid out as FaceFusion's .assets/models: files by name, deep swappers in one
 * subfolder a scope. So that folder can be given as it is, and is only read. File names come from
 * the catalogue, never from input. Only downloads write into it, and only the file asked for.
 *
 * Threads: once made and told of downloads, use it from any. Strings returned are heap strings
 * that the caller frees. */
#ifndef RP_STORE_H
#define RP_STORE_H

#include "models/download.h"

struct rp_store;

/* @param path  model folder; NULL: $REPRISE_MODELS, else the user cache's "models". It need not
 * exist (then nothing is installed). */
int rp_store_create(struct rp_store **out, const char *path);
void rp_store_destroy(struct rp_store **store);
const char *rp_store_path(const struct rp_store *store);

/* From now on fetch what is missing. Without this a store never does. */
int rp_store_downloads(struct rp_store *store, const struct rp_download_options *options,
                       rp_download_fn *fn, void *priv);

/* Path of the installed file or NULL. A file counts as installed when it is there and
 * not empty. */
char *rp_store_file(const struct rp_store *store, const struct rp_model_entry *entry);

/* The same after fetching it if it is not there; NULL if it cannot be had, which is no failure. */
char *rp_store_bring(const struct rp_store *store, const struct rp_model_entry *entry);

/* The file for a model that a job needs. RP_ERR_USAGE if the kind has no such model.
 *
 * Installed or fetched: it. Not to be had and `named` (the user asked for it by name):
 * RP_ERR_MISSING and a sentence with the command that fetches it. Not to be had and only the
 * default: the lite model of its kind, with one log line (once per process and kind) naming both;
 * RP_ERR_MISSING with the set-up command when that is missing as well. */
int rp_store_resolve(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                     bool named, const struct rp_model_entry **entry, char **path);

/* The shell command that installs an entry. NULL when memory is out. */
char *rp_store_fetch_command(const struct rp_store *store, const struct rp_model_entry *entry);

/* Before a file is used: one warning (once per process and file) when it is not the published one.
 * Its bytes are read the first time only (models/memory.h). */
void rp_store_look(const struct rp_store *store, const struct rp_model_entry *entry,
                   const char *path);

/* Fetch a file unless it is installed and right, see rp_model_fetch(). */
int rp_store_fetch(const struct rp_store *store, const struct rp_model_entry *entry);

/* Check the bytes of an installed file against what is known of it: size, then SHA-256 or CRC-32 of
 * the catalogue, else the CRC-32 in FaceFusion's .hash file beside it (exactly 8 hex digits).
 * @return RP_OK; RP_ERR_MODEL with a sentence when it differs; RP_ERR_MISSING when it is not
 *         installed; RP_ERR_UNSUPPORTED, without a log line, when nothing is known of it. */
int rp_store_verify(const struct rp_store *store, const struct rp_model_entry *entry);

/* Call fn for every file of the catalogue, in its order. Returns RP_OK or RP_ERR_NOMEM. */
int rp_store_each(const struct rp_store *store, void (*fn)(void *priv, const rp_model_info *info),
                  void *priv);

#endif /* RP_STORE_H */
