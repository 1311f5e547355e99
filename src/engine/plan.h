/* The plan cache: what makes the second start fast.
 *
 * A CUDA graph cannot be saved, so kept across runs is all that makes recording it again quick:
 * models as ONNX Runtime optimised them for this GPU, and choices that were measured (frames in
 * flight). Everything is keyed by what it depends on (model file, ONNX Runtime, driver, GPU,
 * options); an entry that is broken, cut short or of another key is dropped with one line and made
 * again.
 *
 * Threads: any. Several processes may share a folder: entries appear whole or not at all. */
#ifndef RP_PLAN_H
#define RP_PLAN_H

#include <jansson.h>

#include "base/base.h"

struct rp_plans;

/* @param folder  NULL: the user's cache; "off": nothing is kept */
int rp_plans_open(struct rp_plans **out, const char *folder);
void rp_plans_close(struct rp_plans **plans);

/* A folder of this name in the cache, for somebody else's cache;
 * NULL when nothing is kept. Heap string; it need not exist. */
char *rp_plan_folder(const struct rp_plans *plans, const char *name);

/* The entry of this key, or NULL. A new reference. */
json_t *rp_plan_get(struct rp_plans *plans, const char *key);

/* Keep an entry (borrowed). Failing to write is told once and is no error. */
void rp_plan_put(struct rp_plans *plans, const char *key, json_t *value);

/* A file that belongs to a key: its path if it is there and as it was written (size and checksum of
 * its ends), else NULL. Heap string. */
char *rp_plan_file(struct rp_plans *plans, const char *key);

/* Where to write that file; then rp_plan_file_done(). NULL when nothing is kept. Heap string. */
char *rp_plan_file_begin(struct rp_plans *plans, const char *key);
void rp_plan_file_done(struct rp_plans *plans, const char *key, const char *temp, bool good);

/* The file of this key turned out not to load: drop it, with one line. */
void rp_plan_file_bad(struct rp_plans *plans, const char *key);

/* A short text that changes when a model file does: size, time, checksum of its ends. */
int rp_plan_stamp(const char *path, char *text, size_t size);

#endif /* RP_PLAN_H */
