/* The door between the program and its CUDA module: no CUDA types here. */
#ifndef RP_CUDA_MODULE_H
#define RP_CUDA_MODULE_H

#include "device/device.h"

/* What the module borrows from the program: its log. */
struct rp_module_host {
    int (*fail)(int status, const char *fmt, ...);
    void (*log)(enum rp_log_level level, const char *fmt, ...);
};

/* rp_module_abi(): which build a module is of, asked before anything else of it is called. Both
 * sides compile this header, so a module of other sources has other numbers. RP_MODULE_ABI is
 * raised by hand when something changes that no size shows: an order, a meaning, an argument of a
 * function. This struct itself must stay as it is. */
#define RP_MODULE_ABI 1

struct rp_module_abi {
    uint32_t number;
    uint32_t host, device, fns, ops; /* bytes of the structs that go through the door */
    uint32_t args;                   /* and of the arguments of all operations together */
};

#define RP_MODULE_ARGS(name) +sizeof(struct rp_op_##name)
static inline struct rp_module_abi rp_module_abi_here(void)
{
    const struct rp_module_abi here = {
        RP_MODULE_ABI,
        (uint32_t) sizeof(struct rp_module_host),
        (uint32_t) sizeof(struct rp_device),
        (uint32_t) sizeof(struct rp_device_fns),
        (uint32_t) sizeof(struct rp_ops),
        (uint32_t) (0 RP_OPS(RP_MODULE_ARGS)),
    };
    return here;
}

typedef void rp_module_abi_fn(struct rp_module_abi *out);

/* rp_module_open(): open GPU `id`. */
typedef int rp_module_open_fn(struct rp_device **out, int id, const struct rp_module_host *host);

/* rp_module_time(): microseconds that `work` takes on the GPU, after n bytes at `flush` were zeroed
 * to empty its cache. */
typedef int rp_module_time_fn(struct rp_stream *s, rp_record_fn *work, void *priv, void *flush,
                              size_t n, float *us);

#endif /* RP_CUDA_MODULE_H */
