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

/* Next to the program (a build folder), then where `make install` puts it. */
static void *find_module(char *path, size_t size)
{
    static const char *const places[] = {"", "src/device/cuda/", "../lib/reprise/"};
    char folder[PATH_MAX];
    const char *const asked = getenv("REPRISE_CUDA_MODULE");
    const ssize_t n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    void *lib = NULL;

    if (asked && *asked) {
        snprintf(path, size, "%s", asked);
        return try_module(path);
    }
    folder[RP_MAX(n, 0)] = 0;
    char *const slash = strrchr(folder, '/');
    if (slash)
        slash[1] = 0;
    for (size_t i = 0; !lib && i < RP_ARRAY_LEN(places); i++) {
        snprintf(path, size, "%s%slibreprise-cuda.so", folder, places[i]);
        lib = try_module(path);
    }
    return lib;
}

/* A module built from other sources would be called through tables with another layout. */
static int check_module(void *lib, const char *path)
{
    const struct rp_module_abi here = rp_module_abi_here();
    struct rp_module_abi there = {0};
    rp_module_abi_fn *tell;

    *(void **) &tell = dlsym(lib, "rp_module_abi");
    if (tell)
        tell(&there);
    if (there.number != here.number)
        return rp_fail(RP_ERR_UNSUPPORTED,
                       "the CUDA module %s is of another build (its interface has number %u, the "
                       "program's %u); run make gpu again",
                       path, there.number, here.number);
    if (memcmp(&there, &here, sizeof(here)) != 0)
        return rp_fail(RP_ERR_UNSUPPORTED,
                       "the CUDA module %s is of another build (its tables have other sizes than "
                       "the program's); run make gpu again",
                       path);
    return 0;
}

int rp_device_cuda(struct rp_device **out, int id)
{
    static const struct rp_module_host host = {rp_fail, rp_log};
    char path[PATH_MAX + 64];
    rp_module_open_fn *open = NULL;
    int ret;
    void *const lib = find_module(path, sizeof(path));

    *out = NULL;
    if (!lib)
        return rp_fail(RP_ERR_UNSUPPORTED,
                       "this installation has no CUDA module; build it with: make gpu");
    RP_TRY(check_module(lib, path));
    *(void **) &open = dlsym(lib, "rp_module_open");
    if (!open) {
        ret = rp_fail(RP_ERR_UNSUPPORTED, "the CUDA module %s opens no GPU; run make gpu again",
                      path);
        goto fail;
    }
    return open(out, id, &host);

fail:
    dlclose(lib);
    return ret;
}
