/* The interface between the program and its CUDA module, without CUDA types. */
#ifndef RP_CUDA_MODULE_H
#define RP_CUDA_MODULE_H

#include "device/device.h"

/* What the module uses of the program: its log. */
struct rp_module_host {
    int (*fail)(int status, const char *fmt, ...);
    void (*log)(enum rp_log_level level, const char *fmt, ...);
};

/* rp_module_abi(): which build a module is from; called before anything else in it. Both sides
 * compile this header, so a module from other sources has other numbers. Raise RP_MODULE_ABI when
 * something changes that no size shows: an order, a meaning, an argument of a function. This struct
 * itself must never change. */
#define RP_MODULE_ABI 4

struct rp_module_abi {
    uint32_t number;
    uint32_t host, device, fns, ops; /* bytes of the structs that both sides use */
    uint32_t args;                   /* of the arguments of all operations, added up */
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
