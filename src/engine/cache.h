/* The cache: what is kept on disk to make the next start fast.
 *
 * A CUDA graph cannot be saved, so the cache keeps what makes recording it again quick: models as
 * ONNX Runtime optimised them for this GPU, plans of native networks with their weights (kept.h),
 * and measured choices (frames in flight). The key of an entry is made of all that it depends on (model file, ONNX Runtime, driver, GPU, options); an
 * entry that is broken, cut short or has another key is dropped with one log line and made again.
 *
 * Threads: any. Processes may share a folder: entries appear whole or not at all. */
#ifndef RP_CACHE_H
#define RP_CACHE_H

#include <jansson.h>

#include "base/base.h"

struct rp_cache;

/* @param folder  NULL: the user's cache; "off": nothing is kept */
int rp_cache_open(struct rp_cache **out, const char *folder);
void rp_cache_close(struct rp_cache **cache);

/* Path of a folder of this name in the cache, for other software's cache; NULL when nothing is
 * kept. Heap string; the folder need not exist. */
char *rp_cache_folder(const struct rp_cache *cache, const char *name);

/* The entry with this key as a new reference, or NULL. */
json_t *rp_cache_get(struct rp_cache *cache, const char *key);

/* Keep an entry (a borrowed reference). If it cannot be written, that is logged once and is no
 * error. */
void rp_cache_put(struct rp_cache *cache, const char *key, json_t *value);

/* The path of the file that belongs to a key if it is there and unchanged (size and checksum of its
 * ends), else NULL. Heap string. */
char *rp_cache_file(struct rp_cache *cache, const char *key);

/* A path to write that file to, for rp_cache_file_done(); NULL when nothing is kept. Heap
 * string. */
char *rp_cache_file_begin(struct rp_cache *cache, const char *key);
void rp_cache_file_done(struct rp_cache *cache, const char *key, const char *temp, bool good);

/* The file of this key could not be loaded: drop it, with one log line. */
void rp_cache_file_bad(struct rp_cache *cache, const char *key);

/* A short text that changes whenever a model file does: size, time, checksum of its ends. */
int rp_cache_stamp(const char *path, char *text, size_t size);

#endif /* RP_CACHE_H */
