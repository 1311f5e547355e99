#include "device/device.h"

#include <dlfcn.h>
#include <limits.h>

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

/* Try one and keep its path; *path is freed. */
static void *take_module(char **path, char *kept, size_t size)
{
    void *const lib = *path ? try_module(*path) : NULL;

    if (lib)
        snprintf(kept, size, "%s", *path);
    free(*path);
    *path = NULL;
    return lib;
}

/* *lib: the module of $REPRISE_CUDA_MODULE; else the one that `make install` put there, or that of
 * a build folder; NULL if there is none. */
static int find_module(void **lib, char *kept, size_t size)
{
    static const char *const built[] = {"libreprise-cuda.so", "src/device/cuda/libreprise-cuda.so"};
    char *path;
    const char *const asked = getenv("REPRISE_CUDA_MODULE");

    if (asked && *asked) {
        snprintf(kept, size, "%s", asked);
        *lib = try_module(kept);
        return 0;
    }
    RP_CHECK(rp_path_installed(RP_PATH_LIB, "libreprise-cuda.so", &path));
    *lib = take_module(&path, kept, size);
    for (size_t i = 0; !*lib && i < RP_ARRAY_LEN(built); i++) {
        RP_CHECK(rp_path_here(built[i], &path));
        *lib = take_module(&path, kept, size);
    }
    return 0;
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
    void *lib;

    *out = NULL;
    RP_CHECK(find_module(&lib, path, sizeof(path)));
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
