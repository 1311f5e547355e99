/* Temporary output files that a killed process left behind. */
#include "base/path.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* "-N.part" or "-N.part.EXT" */
static bool is_tail(const char *text)
{
    const char *const digits = text + 1;
    const size_t n = strspn(digits, "0123456789");

    if (*text != '-' || !n || strncmp(digits + n, ".part", 5))
        return false;
    const char *const ext = digits + n + 5;
    return !*ext || (*ext == '.' && ext[1] && !strchr(ext + 1, '.'));
}

/* The process in a name of the form ".NAME.PID-N.part.EXT", or 0. */
static long writer_of(const char *name)
{
    if (*name != '.')
        return 0;
    for (const char *at = strchr(name + 1, '.'); at; at = strchr(at + 1, '.')) {
        char *end;
        const long pid = isdigit((unsigned char) at[1]) ? strtol(at + 1, &end, 10) : 0;

        if (pid > 0 && pid < INT32_MAX && is_tail(end))
            return pid;
    }
    return 0;
}

/* Was it left: does nobody hold its lock? A process of that number that still runs may be one that
 * knows no locks. The descriptor holds the lock then; else it is -1. */
static int take_left(int folder, const char *name, struct stat *st)
{
    const long pid = writer_of(name);

    if (!pid || !kill((pid_t) pid, 0) || errno != ESRCH)
        return -1;
    const int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode) || flock(fd, LOCK_EX | LOCK_NB))) {
        close(fd);
        return -1;
    }
    return fd;
}

int rp_partial_left(const char *dir, bool remove, rp_partial_left_fn *fn, void *priv)
{
    struct stat st;
    struct dirent *entry;
    DIR *const d = opendir(dir);

    if (!d)
        return rp_fail(rp_io_status(errno), "%s: reading: %s", dir, strerror(errno));
    while ((entry = readdir(d))) {
        const int fd = take_left(dirfd(d), entry->d_name, &st);
        char *const path = fd >= 0 ? rp_path_join(dir, entry->d_name) : NULL;

        if (path)
            fn(priv, path, st.st_size, remove && !unlinkat(dirfd(d), entry->d_name, 0));
        free(path);
        if (fd >= 0)
            close(fd);
    }
    closedir(d);
    return 0;
}

static void say_swept(void *priv, const char *path, int64_t bytes, bool removed)
{
    (void) priv;
    (void) bytes;
    if (removed)
        rp_log(RP_LOG_INFO, "%s was left by a run that was killed; it is removed", path);
}

/* A program that writes thousands of pictures to one folder would read it each time. */
void rp_partial_sweep(const char *dir)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char last[64];
    struct stat st;
    char now[sizeof(last)];

    if (stat(dir, &st))
        return;
    snprintf(now, sizeof(now), "%llu:%llu", (unsigned long long) st.st_dev,
             (unsigned long long) st.st_ino);
    pthread_mutex_lock(&lock);
    const bool again = !strcmp(now, last);
    snprintf(last, sizeof(last), "%s", now);
    pthread_mutex_unlock(&lock);
    if (again)
        return;
    rp_log_hold(true); /* what cannot be read is not swept */
    rp_partial_left(dir, true, say_swept, NULL);
    rp_log_hold(false);
}
