/* Inside of the public runtime: what outlives a job. Devices, caches and models are opened when
 * first needed, and stay open.
 *
 * All work on a GPU is done on its thread (base/executor.h): public functions hand over their work
 * as a whole, so nothing below them knows of threads. On the CPU the caller's thread does the work.
 *
 * Threads: any. */
#ifndef RP_RUNTIME_H
#define RP_RUNTIME_H

#include <pthread.h>

#include "base/executor.h"
#include "engine/engine.h"
#include "engine/cache.h"
#include "models/shelf.h"
#include "models/store.h"
#include "pipeline/idle.h"

struct rp_gpu;
struct rp_cache_folder;

struct rp_runtime {
    pthread_mutex_t lock;
    char *library;            /* the ONNX Runtime that was asked for, or NULL */
    struct rp_engine *engine; /* NULL until rp_runtime_engine() */
    struct rp_device *device; /* the CPU */
    struct rp_store *store;
    struct rp_shelf *shelf;   /* the models that are open */
    struct rp_idle *idle;     /* pipelines of earlier jobs */
    struct rp_gpu *gpus;      /* lists; an entry stays where it is */
    struct rp_cache_folder *folders;
};

/* ONNX Runtime; the first call loads it. */
int rp_runtime_engine(rp_runtime *runtime, struct rp_engine **engine);

/* The thread of GPU number `id`; the first call starts it. The GPU need not exist. */
int rp_runtime_executor(rp_runtime *runtime, int id, struct rp_executor **executor);

/* That GPU, on its thread only; the first call opens it, the runtime closes it. */
int rp_runtime_gpu(rp_runtime *runtime, int id, struct rp_device **device);

/* Close all that earlier jobs left open, so that the next one starts like the first. */
void rp_runtime_forget(rp_runtime *runtime);

/* The cache in this folder, see rp_cache_open(). The runtime closes it. */
int rp_runtime_cache(rp_runtime *runtime, const char *folder, struct rp_cache **cache);

#endif /* RP_RUNTIME_H */
