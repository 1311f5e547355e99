#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

char *rp_path_join(const char *dir, const char *name)
{
    const size_t len = dir ? strlen(dir) : 0;

    if (!len)
        return strdup(name);
    return rp_asprintf(dir[len - 1] == '/' ? "%s%s" : "%s/%s", dir, name);
}

const char *rp_path_base(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const char *rp_path_ext(const char *path)
{
    const char *name = rp_path_base(path);

    name += strspn(name, "."); /* ".profile" is a name, not an extension */
    const char *const dot = strrchr(name, '.');
    return dot ? dot + 1 : name + strlen(name);
}

char *rp_path_dir(const char *path)
{
    size_t len = (size_t) (rp_path_base(path) - path);

    if (!len)
        return strdup(".");
    while (len > 1 && path[len - 1] == '/')
        len--;
    return strndup(path, len);
}

bool rp_path_is_file(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode);
}

bool rp_path_is_dir(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int64_t rp_path_size(const char *path)
{
    struct stat st;

    return stat(path, &st) ? 0 : st.st_size;
}

bool rp_path_same(const char *a, const char *b)
{
    struct stat sa, sb;

    return !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Another process may make the same folder at the same time, which is no failure. */
static int make_one(const char *path)
{
    if (!mkdir(path, 0777))
        return 0;
    const int error = errno == EEXIST ? ENOTDIR : errno;
    if (rp_path_is_dir(path))
        return 0;
    return rp_fail(rp_io_status(error), "%s: the folder cannot be made: %s", path, strerror(error));
}

int rp_path_mkdirs(const char *path)
{
    int ret = 0;
    char *const copy = strdup(path);

    if (!copy)
        return rp_fail(RP_ERR_NOMEM, "%s: out of memory", path);
    for (char *c = copy; *c && !ret; c++) {
        if (*c != '/' || c == copy)
            continue;
        *c = '\0';
        ret = make_one(copy);
        *c = '/';
    }
    if (!ret)
        ret = make_one(copy);
    free(copy);
    return ret;
}

/* $HOME may be missing (services, containers): then ask the user database, which may not know
 * either. */
static char *home_dir(void)
{
    const char *const home = getenv("HOME");
    char buffer[4096];
    struct passwd entry, *found = NULL;

    if (home && *home)
        return strdup(home);
    if (!getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found) && found && *found->pw_dir)
        return strdup(found->pw_dir);
    return strdup(".");
}

char *rp_path_user_cache(const char *sub)
{
    const char *const xdg = getenv("XDG_CACHE_HOME");
    char *base = NULL, *path = NULL;

    if (xdg && *xdg == '/') { /* the specification says to ignore relative ones */
        base = rp_path_join(xdg, "reprise");
    } else {
        char *const home = home_dir();
        base = home ? rp_path_join(home, ".cache/reprise") : NULL;
        free(home);
    }
    if (!base || !sub)
        return base;
    path = rp_path_join(base, sub);
    free(base);
    return path;
}

/* Read to the end into a block that grows, since pipes and /proc do not report their size. `room`
 * is a first guess; reading one byte more shows at once whether it was right. */
static int read_all(int fd, const char *path, size_t max, size_t room, uint8_t **data, size_t *size)
{
    for (;;) {
        if (*size + 1 >= room || !*data) {
            room = *data ? room * 2 : room + 2;
            uint8_t *const more = realloc(*data, room);
            if (!more)
                return rp_fail(RP_ERR_NOMEM, "%s: out of memory for %zu bytes", path, room);
            *data = more;
        }
        const ssize_t n = read(fd, *data + *size, room - *size - 1);
        if (n < 0 && errno != EINTR)
            return rp_fail(rp_io_status(errno), "%s: reading: %s", path, strerror(errno));
        if (n == 0)
            break;
        *size += n > 0 ? (size_t) n : 0;
        if (*size > max)
            return rp_fail(RP_ERR_LIMIT, "%s: larger than %zu bytes", path, max);
    }
    (*data)[*size] = 0;
    return 0;
}

int rp_file_read(const char *path, size_t max, uint8_t **data, size_t *size)
{
    int ret;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    *data = NULL;
    *size = 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        ret = rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (S_ISREG(st.st_mode) && (uintmax_t) st.st_size > max) {
        ret = rp_fail(RP_ERR_LIMIT, "%s: larger than %zu bytes", path, max);
        goto fail;
    }
    const size_t guess = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t) st.st_size : 4096;
    RP_TRY(read_all(fd, path, max, guess, data, size));
    close(fd);
    return 0;

fail:
    if (fd >= 0)
        close(fd);
    free(*data);
    *data = NULL;
    *size = 0;
    return ret;
}
