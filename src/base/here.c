/* Where this copy of the code is, whether it was linked into a program or loaded as a library, and
 * what was installed with it. */
#include <dlfcn.h>
#include <link.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/path.h"
#include "rp_config.h"

/* The file that this code was loaded from; false if that cannot be found out (no /proc). */
static bool own_file(char path[PATH_MAX])
{
    static const char mark = 0;
    Dl_info info;
    struct link_map *map = NULL;

    /* The program itself has an empty name in the loader's list. */
    if (dladdr1(&mark, &info, (void **) &map, RTLD_DL_LINKMAP) && map && *map->l_name)
        return realpath(map->l_name, path) != NULL;
    const ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    path[RP_MAX(n, 0)] = '\0';
    return n > 0;
}

/* "/usr/lib" of "/usr/lib/libreprise.so"; false if it is not known. */
static bool own_folder(char path[PATH_MAX])
{
    if (!own_file(path))
        return false;
    char *const slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return slash != NULL;
}

static int joined(const char *folder, const char *name, char **path)
{
    *path = rp_path_join(folder, name);
    return *path ? 0 : rp_fail(RP_ERR_NOMEM, "out of memory");
}

int rp_path_here(const char *name, char **path)
{
    char folder[PATH_MAX];

    *path = NULL;
    return own_folder(folder) ? joined(folder, name, path) : 0;
}

/* Cut "/part" off the end; false if it is not there. */
static bool cut(char *folder, const char *part)
{
    const size_t have = strlen(folder), n = strlen(part);

    if (have <= n || folder[have - n - 1] != '/' || strcmp(folder + have - n, part) != 0)
        return false;
    folder[have - n - 1] = '\0';
    return true;
}

int rp_path_installed(enum rp_path_kind kind, const char *name, char **path)
{
    char prefix[PATH_MAX], folder[PATH_MAX + 64];

    *path = NULL;
    if (!own_folder(prefix) || (!cut(prefix, RP_BINDIR) && !cut(prefix, RP_LIBDIR)))
        return 0;
    snprintf(folder, sizeof(folder), "%s/%s/reprise", prefix,
             kind == RP_PATH_LIB ? RP_LIBDIR : RP_DATADIR);
    return joined(folder, name, path);
}
