#include "pipeline/job_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/api.h"
#include "base/path.h"
#include "pipeline/journal.h"

enum { DAY = 24 * 3600, HOST_MAX = 64 };

/* ---- names ----------------------------------------------------------------------------------- */

char *rp_job_folder_path(const char *output)
{
    char *const real = realpath(output, NULL);
    const char *const path = real ? real : output, *const base = rp_path_base(path);
    size_t n = RP_MIN(strlen(base), (size_t) NAME_MAX - 1 - strlen(RP_FOLDER_EXT));

    while (n && base[n] && ((unsigned char) base[n] & 0xc0) == 0x80) /* whole UTF-8 characters */
        n--;
    char *const folder =
        rp_asprintf("%.*s.%.*s" RP_FOLDER_EXT, (int) (base - path), path, (int) n, base);
    free(real);
    return folder;
}

static void host_name(char host[HOST_MAX])
{
    if (gethostname(host, HOST_MAX))
        snprintf(host, HOST_MAX, "host");
    host[HOST_MAX - 1] = '\0';
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char) *c) && *c != '.')
            *c = '_';
}

char *rp_job_folder_piece(const char *path, const char *id, int64_t number)
{
    return rp_asprintf("%s/%s-%06" PRId64 RP_PIECE_EXT, path, id, number);
}

char *rp_job_folder_options(const char *path, const char *id)
{
    return rp_asprintf("%s/%s" RP_OPTIONS_EXT, path, id);
}

char *rp_job_folder_journal(const char *path, const char *id)
{
    char host[HOST_MAX];

    host_name(host);
    for (int i = 1;; i++) {
        char *const name =
            rp_asprintf("%s/%s-%s-%ld-%d" RP_JOURNAL_EXT, path, id, host, (long) getpid(), i);
        if (!name || access(name, F_OK))
            return name;
        free(name);
    }
}

static bool has_ext(const char *name, const char *ext)
{
    const size_t n = strlen(name), k = strlen(ext);

    return n > k && !strcmp(name + n - k, ext);
}

/* Is it a name of ours? A piece that is not complete is ".ID-NUMBER.PID-N.part.piece". */
static bool is_ours(const char *name)
{
    return name[0] != '\0' && (has_ext(name, RP_PIECE_EXT) || has_ext(name, RP_JOURNAL_EXT) ||
                               has_ext(name, RP_LIVE_EXT) || has_ext(name, RP_OPTIONS_EXT));
}

/* ---- opening and closing --------------------------------------------------------------------- */

static int fail(const char *path, const char *what)
{
    return rp_fail(rp_io_status(errno), "%s: %s: %s", path, what, strerror(errno));
}

/* A link to somewhere else is not followed. */
static int open_dir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Make the file and lock it. 0 where the folder went away before that. */
static int make_live(struct rp_job_folder *f)
{
    char text[HOST_MAX + 32], host[HOST_MAX];
    const int folder = open_dir(f->path);

    if (folder < 0)
        return errno == ENOENT ? 0 : fail(f->path, "cannot be used as a folder");
    f->lock = openat(folder, f->live, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    const int error = errno;
    close(folder);
    errno = error;
    if (f->lock < 0)
        return errno == ENOENT ? 0 : fail(f->path, "cannot be written to");
    flock(f->lock, LOCK_EX | LOCK_NB); /* where that is not possible, the time of the file tells */
    host_name(host);
    const int n = snprintf(text, sizeof(text), "%ld %s\n", (long) getpid(), host);
    if (pwrite(f->lock, text, (size_t) n, 0) != n)
        return fail(f->path, "cannot be written to");
    return 1;
}

int rp_job_folder_open(struct rp_job_folder *f, const char *path)
{
    int ret = 0;
    char host[HOST_MAX];

    host_name(host);
    *f = (struct rp_job_folder){.lock = -1};
    f->path = strdup(path);
    f->live = rp_asprintf("%s-%ld" RP_LIVE_EXT, host, (long) getpid());
    if (!f->path || !f->live) {
        free(f->path);
        free(f->live);
        *f = (struct rp_job_folder){.lock = -1};
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    for (int i = 0; !ret && i < 100; i++) {
        ret = mkdir(path, 0777) && errno != EEXIST ? fail(path, "the folder cannot be made")
                                                   : make_live(f);
    }
    if (ret > 0)
        return 0;
    rp_job_folder_close(f);
    return ret ? ret : rp_fail(RP_ERR_AGAIN, "%s: the folder goes away again and again", path);
}

void rp_job_folder_touch(const struct rp_job_folder *f)
{
    if (f->lock >= 0)
        futimens(f->lock, NULL);
}

void rp_job_folder_close(struct rp_job_folder *f)
{
    const int folder = f->path && f->lock >= 0 ? open_dir(f->path) : -1;

    if (folder >= 0) {
        unlinkat(folder, f->live, 0);
        close(folder);
        rmdir(f->path); /* if nothing else is in it */
    }
    if (f->path && f->lock >= 0)
        close(f->lock);
    free(f->path);
    free(f->live);
    *f = (struct rp_job_folder){.lock = -1};
}

/* ---- who works on it ------------------------------------------------------------------------- */

/* "HOST-PID.live" of this machine; its process. */
static bool of_this_host(const char *name, long *pid)
{
    char host[HOST_MAX];

    host_name(host);
    const size_t n = strlen(host);
    if (strncmp(name, host, n) != 0 || name[n] != '-')
        return false;
    *pid = strtol(name + n + 1, NULL, 10);
    return *pid > 0;
}

static bool is_alive(int folder, const char *name, bool sure)
{
    struct stat st;
    long pid;
    const int fd = openat(folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return errno != ENOENT && !sure;
    const bool locks = !flock(fd, LOCK_EX | LOCK_NB), held = !locks && errno == EWOULDBLOCK;
    const bool known = !fstat(fd, &st);
    close(fd);
    if (held || sure)
        return held;
    if (of_this_host(name, &pid))
        return !locks && (!kill((pid_t) pid, 0) || errno == EPERM);
    return !known || time(NULL) - st.st_mtim.tv_sec < DAY;
}

bool rp_job_folder_is_live(const char *path, const char *but, bool sure)
{
    bool live = false;
    struct dirent *entry;
    const int fd = open_dir(path);
    DIR *const d = fd < 0 ? NULL : fdopendir(fd);

    while (d && !live && (entry = readdir(d)))
        live = has_ext(entry->d_name, RP_LIVE_EXT) && (!but || strcmp(entry->d_name, but) != 0) &&
               is_alive(fd, entry->d_name, sure);
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
    return live;
}

/* ---- its files ------------------------------------------------------------------------------- */

int rp_job_folder_each(const char *path, const char *ext, rp_job_file_fn *fn, void *priv)
{
    int ret = 0;
    struct stat st;
    struct dirent *entry;
    const int fd = open_dir(path);
    DIR *const d = fd < 0 ? NULL : fdopendir(fd);

    while (d && !ret && (entry = readdir(d)))
        if (is_ours(entry->d_name) && (!ext || has_ext(entry->d_name, ext)) &&
            !fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
            ret = fn(priv, entry->d_name, st.st_size);
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
    return ret;
}

struct removing {
    int folder;
    const char *keep;
};

static int remove_one(void *priv, const char *name, int64_t bytes)
{
    const struct removing *const r = priv;
    const char *const id = name + (name[0] == '.');

    (void) bytes;
    if (!r->keep || (!has_ext(name, RP_LIVE_EXT) && strncmp(id, r->keep, strlen(r->keep)) != 0))
        unlinkat(r->folder, name, 0);
    return 0;
}

bool rp_job_folder_remove(const char *path, const char *keep)
{
    struct removing r = {open_dir(path), keep};

    if (r.folder < 0)
        return errno == ENOENT;
    rp_job_folder_each(path, NULL, remove_one, &r);
    close(r.folder);
    return !rmdir(path) || errno == ENOENT;
}

/* ---- what killed runs left ------------------------------------------------------------------- */

struct cleaning {
    bool remove;
    void (*fn)(void *priv, const rp_leftover *leftover);
    void *priv;
};

static void tell_file(void *priv, const char *path, int64_t bytes, bool removed)
{
    const struct cleaning *const c = priv;
    const rp_leftover leftover = {.path = path, .bytes = bytes, .removed = removed};

    c->fn(c->priv, &leftover);
}

static int add_bytes(void *priv, const char *name, int64_t bytes)
{
    (void) name;
    *(int64_t *) priv += bytes;
    return 0;
}

/* A folder of that name counts if nothing but files of ours is in it, and one at least. */
static bool is_job_folder(const char *path)
{
    bool ours = false, other = false;
    struct dirent *entry;
    const int fd = open_dir(path);
    DIR *const d = fd < 0 ? NULL : fdopendir(fd);

    while (d && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            *(is_ours(entry->d_name) ? &ours : &other) = true;
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
    return ours && !other;
}

static void look_at_folder(const struct cleaning *c, const char *path)
{
    rp_leftover leftover = {.path = path, .is_folder = true};

    if (!is_job_folder(path))
        return;
    leftover.live = rp_job_folder_is_live(path, NULL, false);
    rp_job_folder_each(path, NULL, add_bytes, &leftover.bytes);
    if (c->remove && !leftover.live)
        leftover.removed = rp_job_folder_remove(path, NULL);
    c->fn(c->priv, &leftover);
}

int rp_clean(const char *folder, bool remove, void (*fn)(void *priv, const rp_leftover *leftover),
             void *priv)
{
    int ret = 0;
    struct dirent *entry;
    struct cleaning c = {remove, fn, priv};
    DIR *const d = folder ? opendir(folder) : NULL;

    if (!folder || !fn)
        return rp_fail(RP_ERR_INVALID, "rp_clean: give a folder and a function");
    if (!d)
        return fail(folder, "reading");
    while (!ret && (entry = readdir(d))) {
        if (entry->d_name[0] != '.' || !has_ext(entry->d_name, RP_FOLDER_EXT))
            continue;
        char *const path = rp_path_join(folder, entry->d_name);
        if (path)
            look_at_folder(&c, path);
        else
            ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        free(path);
    }
    closedir(d);
    return ret ? ret : rp_partial_left(folder, remove, tell_file, &c);
}
