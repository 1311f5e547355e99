/* Inside of the public runtime. */
#ifndef RP_RUNTIME_H
#define RP_RUNTIME_H

#include <pthread.h>

#include "engine/engine.h"
#include "models/store.h"

struct rp_runtime {
    pthread_mutex_t lock;
    char *library;            /* that was asked for, or NULL */
    struct rp_engine *engine; /* NULL until rp_runtime_engine() */
    struct rp_device *device;
    struct rp_store *store;
};

/* ONNX Runtime, loaded by the first call. */
int rp_runtime_engine(rp_runtime *runtime, struct rp_engine **engine);

#endif /* RP_RUNTIME_H */
