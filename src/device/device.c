#include "device/device.h"

#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>

#include "base/path.h"
#include "device/cuda/module.h"

void rp_device_destroy(struct rp_device **dev)
{
    if (!*dev)
        return;
    (*dev)->fns->destroy(*dev);
    *dev = NULL;
}

/* RTLD_GLOBAL: ONNX Runtime's CUDA provider must find our
 * cublasSetStream_v2 before cuBLAS's own. */
static void *try_module(const char *path)
{
    void *lib = NULL;

    if (!rp_path_is_file(path))
        return NULL;
    if (!(lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL)))
        rp_log(RP_LOG_DEBUG, "%s: %s", path, dlerror());
    return lib;
}

/* Beside the program (a build folder), then where `make install` puts it. */
static void *find_module(void)
{
    static const char *const places[] = {"", "src/device/cuda/", "../lib/reprise/"};
    char folder[PATH_MAX], path[PATH_MAX + 64];
    const char *const asked = getenv("REPRISE_CUDA_MODULE");
    const ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    void *lib = NULL;

    if (asked && *asked)
        return try_module(asked);
    folder[RP_MAX(n, 0)] = 0;
    char *const slash = strrchr(folder, '/');
    if (slash)
        slash[1] = 0;
    for (size_t i = 0; !lib && i < RP_ARRAY_LEN(places); i++) {
        snprintf(path, sizeof(path), "%s%slibreprise-cuda.so", folder, places[i]);
        lib = try_module(path);
    }
    return lib;
}

int rp_device_cuda(struct rp_device **out, int id)
{
    static const struct rp_module_host host = {rp_fail, rp_log};
    rp_module_open_fn *open;
    void *const lib = find_module();

    *out = NULL;
    if (!lib)
        return rp_fail(RP_ERR_UNSUPPORTED,
                       "this installation has no CUDA module; build it with: make gpu");
    *(void **) &open = dlsym(lib, "rp_module_open");
    if (!open)
        return rp_fail(RP_ERR_UNSUPPORTED, "the CUDA module is of another version; build it again");
    return open(out, id, &host);
}
