/* The store: where model files are, and which one is used if the wanted one is not installed.
 *
 * A model folder is laid out like FaceFusion's .assets/models: files by name, deep swappers in one
 * subfolder per scope. So FaceFusion's folder can be used as it is. File names come from the
 * catalogue; those of a user's own deep swappers are checked (models/custom.h). Only downloads write
 * into the folder, and only the requested file.
 *
 * Threads: any, after rp_store_create() and rp_store_downloads(). Strings returned are heap strings
 * that the caller frees. */
#ifndef RP_STORE_H
#define RP_STORE_H

#include "models/download.h"

struct rp_store;

/* @param path  model folder; NULL: $REPRISE_MODELS, else the user cache's "models". It need not
 *              exist; then nothing is installed. */
int rp_store_create(struct rp_store **out, const char *path);
void rp_store_destroy(struct rp_store **store);
const char *rp_store_path(const struct rp_store *store);

/* The folder of the models that were installed with the program, NULL if there is none. Files are
 * looked for there, too, after the model folder; nothing writes into it. */
const char *rp_store_shared(const struct rp_store *store);

/* From now on fetch missing files. Without this call a store never fetches. */
int rp_store_downloads(struct rp_store *store, const struct rp_download_options *options,
                       rp_download_fn *fn, void *priv);

/* A model by name: of the catalogue, or a user's own (models/custom.h), which is looked for.
 * RP_ERR_USAGE if the kind has no such model, RP_ERR_MISSING if the user has none of that name. The
 * entry lives as long as the store. */
int rp_store_find(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                  const struct rp_model_entry **entry);

/* Path of the installed file, or NULL, which is no failure: only RP_ERR_NOMEM is. A file counts as
 * installed when it is there and not empty. */
int rp_store_file(const struct rp_store *store, const struct rp_model_entry *entry, char **path);

/* The same after fetching the file if it is not installed; NULL if it cannot be fetched. */
int rp_store_bring(const struct rp_store *store, const struct rp_model_entry *entry, char **path);

/* The file for a model that a job needs. RP_ERR_USAGE if the kind has no such model.
 *
 * That is the model itself if it is installed or can be fetched. Otherwise, if `named` (the user
 * asked for it by name), RP_ERR_MISSING with a sentence that gives the command to fetch it. If it
 * is only the default, the lite model of its kind, with one log line (once per process and kind)
 * that names both; if that is missing too, RP_ERR_MISSING with the set-up command. */
int rp_store_resolve(const struct rp_store *store, enum rp_model_kind kind, const char *name,
                     bool named, const struct rp_model_entry **entry, char **path);

/* After rp_store_resolve(): the file of *entry is there, but not the published one, which alone may
 * be used, as `why` says. So it is as if it were not there (and nothing is fetched over it): the
 * lite model takes the place of a default, with a warning, or RP_ERR_MISSING. */
int rp_store_instead(const struct rp_store *store, bool named, const char *why,
                     const struct rp_model_entry **entry, char **path);

/* The shell command that installs an entry; NULL when out of memory. */
char *rp_store_fetch_command(const struct rp_store *store, const struct rp_model_entry *entry);

/* To be called before a file is used: warns, once per process and file, if it is not the published
 * one. Its bytes are read only the first time (models/memory.h). */
void rp_store_look(const struct rp_store *store, const struct rp_model_entry *entry,
                   const char *path);

/* Fetch a file unless it is installed and right: see rp_model_fetch(). */
int rp_store_fetch(const struct rp_store *store, const struct rp_model_entry *entry);

/* Check the bytes of an installed file against what is known about it: size, then SHA-256 or CRC-32
 * of the catalogue, else the CRC-32 in FaceFusion's .hash file next to it (exactly 8 hex digits).
 * @return RP_OK; RP_ERR_MODEL with a sentence when it differs; RP_ERR_MISSING when it is not
 *         installed; RP_ERR_UNSUPPORTED, without a log line, when nothing is known about it. */
int rp_store_verify(const struct rp_store *store, const struct rp_model_entry *entry);

/* Call fn for every file of the catalogue, in its order, and for the user's own. Returns RP_OK or RP_ERR_NOMEM. */
int rp_store_each(const struct rp_store *store, void (*fn)(void *priv, const rp_model_info *info),
                  void *priv);

#endif /* RP_STORE_H */
