/* Inside of the public runtime: what outlives a job. Devices, plan caches and models are opened by
 * the first who needs them and stay.
 *
 * All that is done on a GPU is done on its thread (base/executor.h): public functions hand their
 * work over as a whole, so nothing below them knows of it. On the CPU the caller's thread does it.
 *
 * Threads: any. */
#ifndef RP_RUNTIME_H
#define RP_RUNTIME_H

#include <pthread.h>

#include "base/executor.h"
#include "engine/engine.h"
#include "engine/plan.h"
#include "models/shelf.h"
#include "models/store.h"

struct rp_gpu;
struct rp_plan_folder;

struct rp_runtime {
    pthread_mutex_t lock;
    char *library;            /* that was asked for, or NULL */
    struct rp_engine *engine; /* NULL until rp_runtime_engine() */
    struct rp_device *device; /* the CPU */
    struct rp_store *store;
    struct rp_shelf *shelf;   /* the models that are open */
    struct rp_gpu *gpus;      /* lists; an entry stays where it is */
    struct rp_plan_folder *folders;
};

/* ONNX Runtime, loaded by the first call. */
int rp_runtime_engine(rp_runtime *runtime, struct rp_engine **engine);

/* The thread of GPU number `id`, started by the first call. The GPU need not be there. */
int rp_runtime_executor(rp_runtime *runtime, int id, struct rp_executor **executor);

/* That GPU, opened by the first call; on its thread only. The runtime closes it. */
int rp_runtime_gpu(rp_runtime *runtime, int id, struct rp_device **device);

/* The plan cache in this folder, see rp_plans_open(). The runtime closes it. */
int rp_runtime_plans(rp_runtime *runtime, const char *folder, struct rp_plans **plans);

#endif /* RP_RUNTIME_H */
