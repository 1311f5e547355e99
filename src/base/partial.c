/* Output files that get their name only when complete.
 *
 * The temporary names in use are in a table of atomic pointers, because a signal handler, which
 * may neither lock nor free, must be able to remove the files. Whoever swaps a pointer out of
 * the table owns the string. If that is the handler, the string is never freed (the process is
 * about to end). */
#include "base/path.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PARTIALS = 256 };

/* The process number is kept too: a forked child must not remove what its parent writes. */
static struct {
    _Atomic(char *) name;
    _Atomic(const char *) removed; /* by the handler; kept so that no checker reports a leak */
    atomic_int pid;
} registry[MAX_PARTIALS];

_Static_assert(ATOMIC_POINTER_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "a signal handler may use lock-free atomics only");

static bool registry_add(char *name)
{
    for (int i = 0; i < MAX_PARTIALS; i++) {
        char *expected = NULL;
        if (atomic_compare_exchange_strong(&registry[i].name, &expected, name)) {
            atomic_store(&registry[i].pid, (int) getpid());
            return true;
        }
    }
    return false;
}

/* True if the caller owns the string again. */
static bool registry_remove(char *name)
{
    for (int i = 0; i < MAX_PARTIALS; i++) {
        char *expected = name;
        if (atomic_load(&registry[i].name) != name)
            continue;
        atomic_store(&registry[i].pid, 0);
        return atomic_compare_exchange_strong(&registry[i].name, &expected, NULL);
    }
    return false;
}

void rp_partial_cleanup(void)
{
    const int saved = errno;

    for (int i = 0; i < MAX_PARTIALS; i++) {
        if (atomic_load(&registry[i].pid) != (int) getpid())
            continue;
        const char *const name = atomic_exchange(&registry[i].name, NULL);
        if (name) {
            unlink(name);
            atomic_store(&registry[i].removed, name);
        }
    }
    errno = saved;
}

/* ".NAME.PID-N.part.EXT" in the folder of `path`. A name near the limit of file systems is cut, and
 * an extension too long to mean anything is left out. */
static char *temp_name(const char *path, unsigned n)
{
    const char *const base = rp_path_base(path);
    const char *ext = rp_path_ext(path);
    char tail[NAME_MAX / 2];
    size_t stem = *ext ? (size_t) (ext - 1 - base) : strlen(base);

    if (strlen(ext) > 32)
        ext = "";
    const int len = snprintf(tail, sizeof(tail), ".%ld-%u.part%s%s", (long) getpid(), n,
                             *ext ? "." : "", ext);
    stem = RP_MIN(stem, (size_t) (NAME_MAX - 1 - len));
    while (stem && ((unsigned char) base[stem] & 0xc0) == 0x80) /* whole UTF-8 characters */
        stem--;
    return rp_asprintf("%.*s.%.*s%s", (int) (base - path), path, (int) stem, base, tail);
}

static void forget_temp(struct rp_partial *p)
{
    if (p->temp && p->lock >= 0)
        close(p->lock);
    p->lock = -1;
    if (p->temp && registry_remove(p->temp))
        free(p->temp);
    p->temp = NULL;
}

/* Like the file that it will replace; the owner may write to it until it is complete. */
static void take_rights(struct rp_partial *p)
{
    struct stat st;

    p->mode = -1;
    if (stat(p->path, &st))
        return;
    p->mode = (int) (st.st_mode & 0777);
    if (fchmod(p->lock, (mode_t) p->mode | S_IRUSR | S_IWUSR) ||
        fchown(p->lock, st.st_uid, st.st_gid))
        rp_log(RP_LOG_DEBUG, "%s: its owner cannot be kept: %s", p->path, strerror(errno));
}

/* Lock the file that was just made. False if a sweep took it for one that was left: it then has
 * the lock, or has removed the file. Where files cannot be locked nothing is swept either. */
static bool lock_temp(const struct rp_partial *p)
{
    struct stat here, there;

    if (flock(p->lock, LOCK_EX | LOCK_NB))
        return errno != EWOULDBLOCK;
    return !fstat(p->lock, &here) && !stat(p->temp, &there) && here.st_ino == there.st_ino;
}

/* Make the empty temporary file, which is the only sure test that the folder can be written to. Its
 * name is in the table before the file is on disk, so that a signal between the two leaves nothing
 * behind. */
static int create_temp(struct rp_partial *p)
{
    static atomic_uint counter;

    for (int attempt = 0; attempt < 1000; attempt++) {
        p->temp = temp_name(p->path, atomic_fetch_add(&counter, 1) + 1);
        if (!p->temp)
            return rp_fail(RP_ERR_NOMEM, "%s: out of memory", p->path);
        if (!registry_add(p->temp)) {
            free(p->temp);
            p->temp = NULL;
            return rp_fail(RP_ERR_LIMIT, "%s: more than %d outputs at once", p->path, MAX_PARTIALS);
        }
        p->lock = open(p->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                       rp_path_is_file(p->path) ? 0600 : 0666);
        if (p->lock >= 0 && lock_temp(p)) {
            take_rights(p);
            return 0;
        }
        const int error = p->lock >= 0 ? EEXIST : errno;
        forget_temp(p);
        if (error != EEXIST) /* EEXIST: left by a killed process of the same number */
            return rp_fail(rp_io_status(error), "%s: cannot be written: %s", p->path,
                           strerror(error));
    }
    return rp_fail(RP_ERR_IO, "%s: cannot be written: too many temporary files", p->path);
}

/* A rename would replace /dev/null or a pipe by a file, and cannot replace a folder. */
static int check_target(const char *path)
{
    struct stat st;

    if (!*rp_path_base(path))
        return rp_fail(RP_ERR_IO, "%s: not the name of a file", *path ? path : "output");
    if (strlen(rp_path_base(path)) > NAME_MAX)
        return rp_fail(RP_ERR_IO, "%s: %s", path, strerror(ENAMETOOLONG));
    if (!stat(path, &st) && !S_ISREG(st.st_mode))
        return rp_fail(RP_ERR_IO, "%s: exists and is not a plain file", path);
    return 0;
}

int rp_partial_begin(struct rp_partial *p, const char *path)
{
    int ret;
    char *dir = NULL;

    *p = (struct rp_partial){.lock = -1, .mode = -1};
    RP_TRY(check_target(path));
    p->path = realpath(path, NULL); /* a link stays a link: its file is replaced */
    if (!p->path)
        p->path = strdup(path);
    dir = p->path ? rp_path_dir(p->path) : NULL;
    if (!dir) {
        ret = rp_fail(RP_ERR_NOMEM, "%s: out of memory", path);
        goto fail;
    }
    if (!rp_path_is_dir(dir)) {
        ret = rp_fail(RP_ERR_IO, "%s: there is no folder %s", path, dir);
        goto fail;
    }
    rp_partial_sweep(dir);
    RP_TRY(create_temp(p));
    free(dir);
    return 0;

fail:
    free(dir);
    rp_partial_abort(p);
    return ret;
}

/* The rename survives a power cut only if its folder is flushed. Some file systems cannot do that;
 * the file is whole either way, so failures are ignored. */
static void flush_dir(const char *path)
{
    char *const dir = rp_path_dir(path);
    const int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

int rp_partial_commit(struct rp_partial *p)
{
    if (!p->temp)
        return rp_fail(RP_ERR_INVALID, "%s: already written or given up", p->path ? p->path : "");

    const int fd = open(p->temp, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && (!fsync(fd) || errno == EINVAL || errno == EROFS);
    int error = errno;

    if (ok && p->mode >= 0)
        fchmod(fd, (mode_t) p->mode);
    if (fd >= 0)
        close(fd);
    if (ok && rename(p->temp, p->path) < 0) {
        error = errno;
        ok = false;
    }
    if (!ok) {
        unlink(p->temp);
        forget_temp(p);
        return rp_fail(rp_io_status(error), "%s: cannot be completed: %s", p->path,
                       strerror(error));
    }
    forget_temp(p);
    flush_dir(p->path);
    return 0;
}

void rp_partial_abort(struct rp_partial *p)
{
    if (p->temp)
        unlink(p->temp);
    forget_temp(p);
    free(p->path);
    p->path = NULL;
}

static int write_all(const char *temp, const char *path, const uint8_t *data, size_t size)
{
    assert(temp);
    const int fd = open(temp, O_WRONLY | O_TRUNC | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;

    while (size && !error) {
        const ssize_t n = write(fd, data, size);
        if (n > 0) {
            data += n;
            size -= (size_t) n;
        } else if (n == 0 || errno != EINTR) {
            error = n == 0 ? EIO : errno;
        }
    }
    if (fd >= 0 && close(fd) < 0 && !error && errno != EINTR)
        error = errno; /* network file systems report a full disk here */
    return error ? rp_fail(rp_io_status(error), "%s: writing: %s", path, strerror(error)) : 0;
}

int rp_file_write(const char *path, const void *data, size_t size)
{
    int ret;
    struct rp_partial p;

    RP_TRY(rp_partial_begin(&p, path));
    RP_TRY(write_all(p.temp, path, data, size));
    ret = rp_partial_commit(&p);
fail:
    rp_partial_abort(&p);
    return ret;
}
