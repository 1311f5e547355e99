#include "app/job_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app.h"

#define JOBS_MAX 100000 /* in one folder */

static int failed(const char *path, const char *what)
{
    app_log(RP_LOG_ERROR, "%s: %s: %s", path, what, strerror(errno));
    return RP_ERR_IO;
}

/* ---- folders --------------------------------------------------------------------------------- */

/* With its parents. */
static bool make_folder(const char *path)
{
    char *const copy = strdup(path);
    bool ok = copy;

    for (char *at = copy; ok && (at = strchr(at + 1, '/'));) {
        *at = '\0';
        ok = !mkdir(copy, 0777) || errno == EEXIST;
        *at = '/';
    }
    ok = ok && (!mkdir(path, 0777) || errno == EEXIST);
    free(copy);
    return ok;
}

int job_store_open(struct job_store *store, const char *path)
{
    *store = (struct job_store){.dir = -1, .folders = {-1, -1, -1, -1}};
    if (!(store->path = strdup(path)))
        return RP_ERR_NOMEM;
    if (!*path || !make_folder(path) ||
        (store->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        goto fail;
    for (int i = 0; i < JOB_FOLDERS; i++) {
        if (mkdirat(store->dir, job_status_names[i], 0777) && errno != EEXIST)
            goto fail;
        store->folders[i] =
            openat(store->dir, job_status_names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->folders[i] < 0)
            goto fail;
    }
    return RP_OK;

fail:
    failed(*path ? path : "--jobs-path", "the folder of the jobs cannot be used");
    job_store_close(store);
    return RP_ERR_IO;
}

void job_store_close(struct job_store *store)
{
    for (int i = 0; i < JOB_FOLDERS; i++)
        if (store->folders[i] >= 0)
            close(store->folders[i]);
    if (store->dir >= 0)
        close(store->dir);
    free(store->path);
    *store = (struct job_store){.dir = -1, .folders = {-1, -1, -1, -1}};
}

int job_store_lock(struct job_store *store)
{
    if (store->locks == 0)
        while (flock(store->dir, LOCK_EX))
            if (errno != EINTR)
                return failed(store->path, "locking");
    store->locks++;
    return RP_OK;
}

void job_store_unlock(struct job_store *store)
{
    if (store->locks > 0 && --store->locks == 0)
        flock(store->dir, LOCK_UN);
}

/* ---- names ----------------------------------------------------------------------------------- */

struct name {
    char text[JOB_ID_SIZE + 16];
};

static struct name name_of(const char *id, const char *before, const char *end)
{
    struct name name;

    snprintf(name.text, sizeof(name.text), "%s%s%s", before, id, end);
    return name;
}

static struct name file_of(const char *id)
{
    return name_of(id, "", ".json");
}

/* For messages. */
static void show(const struct job_store *store, const char *id, enum job_status folder,
                 char text[512])
{
    snprintf(text, 512, "%.200s/%s/%s.json", store->path, job_status_names[folder], id);
}

int job_store_find(const struct job_store *store, const char *id)
{
    struct stat st;
    const struct name file = file_of(id);

    for (int i = 0; i < JOB_FOLDERS; i++)
        if (!fstatat(store->folders[i], file.text, &st, AT_SYMLINK_NOFOLLOW))
            return i;
    return -1;
}

/* ---- one file -------------------------------------------------------------------------------- */

static char *read_all(int fd, size_t size)
{
    char *const text = malloc(size + 1);
    size_t n = 0;

    while (text && n < size) {
        const ssize_t got = read(fd, text + n, size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(text);
            return NULL;
        }
        n += (size_t) got;
    }
    if (text)
        text[size] = '\0';
    return text;
}

static int load_open(struct job *job, const char *path, unsigned how)
{
    struct stat st;

    if (fstat(job->fd, &st))
        return failed(path, "reading");
    if (!S_ISREG(st.st_mode) || st.st_size > JOB_FILE_MAX) {
        app_log(RP_LOG_ERROR, "%s: not the file of a job: %s", path,
                S_ISREG(st.st_mode) ? "too large" : "not a plain file");
        return RP_ERR_FORMAT;
    }
    if ((how & JOB_HOLD) && flock(job->fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? JOB_BUSY : failed(path, "locking");
    if (!(how & JOB_READ))
        return RP_OK;
    errno = 0;
    char *const text = read_all(job->fd, (size_t) st.st_size);
    if (!text)
        return failed(path, "reading");
    job->json = job_parse(path, text, (size_t) st.st_size);
    free(text);
    return job->json ? RP_OK : RP_ERR_FORMAT;
}

int job_load(struct job *job, struct job_store *store, const char *id, enum job_status folder,
             unsigned how)
{
    char path[512];

    show(store, id, folder, path);
    *job = (struct job){.folder = folder};
    memcpy(job->id, id, strlen(id) + 1);
    job->fd = openat(store->folders[folder], file_of(id).text,
                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const int ret = job->fd < 0 ? failed(path, "opening") : load_open(job, path, how);
    if (ret == RP_OK && !(how & JOB_HOLD)) {
        close(job->fd);
        job->fd = -1;
    }
    if (ret != RP_OK)
        job_close(job);
    return ret;
}

void job_close(struct job *job)
{
    if (job->fd >= 0)
        close(job->fd);
    json_decref(job->json);
    *job = (struct job){.fd = -1};
}

static bool write_all(int fd, const char *text)
{
    for (size_t n = strlen(text); n > 0;) {
        const ssize_t put = write(fd, text, n);

        if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            text += put;
            n -= (size_t) put;
        }
    }
    return !fsync(fd) || errno == EINVAL;
}

/* Under the lock no one else writes, so a file of this name was left by a process that was killed.
 */
static int write_new(struct job *job, const struct job_store *store, const char *text)
{
    const int folder = store->folders[job->folder];
    const struct name temp = name_of(job->id, ".", ".json.new"), file = file_of(job->id);

    unlinkat(folder, temp.text, 0);
    const int fd =
        openat(folder, temp.text, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) || !write_all(fd, text) ||
        renameat(folder, temp.text, folder, file.text)) {
        const int error = errno;

        unlinkat(folder, temp.text, 0);
        close(fd);
        errno = error;
        return -1;
    }
    fsync(folder); /* some file systems cannot; the file is whole either way */
    if (job->fd >= 0)
        close(job->fd);
    job->fd = fd;
    return 0;
}

int job_save(struct job *job, struct job_store *store, bool dated)
{
    char path[512], date[JOB_DATE_SIZE];
    char *text;
    int ret;

    show(store, job->id, job->folder, path);
    job_date(date);
    if (dated && json_object_set_new(job->json, "date_updated", json_string(date)))
        return RP_ERR_NOMEM;
    if (!(text = job_text(job->json)))
        return RP_ERR_LIMIT;
    if ((ret = job_store_lock(store)) >= 0) {
        if (write_new(job, store, text))
            ret = failed(path, "writing");
        job_store_unlock(store);
    }
    free(text);
    return ret;
}

int job_move(struct job *job, struct job_store *store, enum job_status folder)
{
    char path[512];
    const struct name file = file_of(job->id);
    int ret = job_store_lock(store);

    if (ret < 0 || job->folder == folder) {
        if (ret >= 0)
            job_store_unlock(store);
        return ret;
    }
    show(store, job->id, folder, path);
    if (!faccessat(store->folders[folder], file.text, F_OK, AT_SYMLINK_NOFOLLOW)) {
        app_log(RP_LOG_ERROR, "%s: there is a job of this name already", path);
        ret = RP_ERR_INVALID;
    } else if (renameat(store->folders[job->folder], file.text, store->folders[folder],
                        file.text)) {
        ret = failed(path, "moving");
    } else {
        fsync(store->folders[folder]);
        fsync(store->folders[job->folder]);
        job->folder = folder;
    }
    job_store_unlock(store);
    return ret;
}

int job_remove(struct job *job, struct job_store *store)
{
    char path[512];

    show(store, job->id, job->folder, path);
    return unlinkat(store->folders[job->folder], file_of(job->id).text, 0)
               ? failed(path, "removing")
               : RP_OK;
}

/* ---- a folder -------------------------------------------------------------------------------- */

struct found {
    char id[JOB_ID_SIZE];
    struct timespec time;
};

static int by_age(const void *a, const void *b)
{
    const struct found *const x = a, *const y = b;

    if (x->time.tv_sec != y->time.tv_sec)
        return x->time.tv_sec < y->time.tv_sec ? -1 : 1;
    if (x->time.tv_nsec != y->time.tv_nsec)
        return x->time.tv_nsec < y->time.tv_nsec ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* "ID.json", of a plain file. */
static bool is_job(int folder, const char *name, struct found *found)
{
    const size_t n = strlen(name);
    struct stat st;

    if (n < 6 || n - 5 >= JOB_ID_SIZE || strcmp(name + n - 5, ".json") != 0)
        return false;
    memcpy(found->id, name, n - 5);
    found->id[n - 5] = '\0';
    if (!job_id_is_whole(found->id) || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(st.st_mode))
        return false;
    found->time = st.st_mtim;
    return true;
}

int job_list(const struct job_store *store, enum job_status folder, char (**ids)[JOB_ID_SIZE])
{
    struct found *list = NULL;
    int n = 0, room = 0, ret = RP_OK;
    const int fd = openat(store->dir, job_status_names[folder], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *const dir = fd >= 0 ? fdopendir(fd) : NULL;

    *ids = NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return failed(store->path, "reading");
    }
    for (const struct dirent *e; ret >= 0 && n < JOBS_MAX && (e = readdir(dir));) {
        if (n == room) {
            struct found *const grown =
                realloc(list, (size_t) (room = 2 * room + 16) * sizeof(*list));

            if (!grown) {
                ret = RP_ERR_NOMEM;
                break;
            }
            list = grown;
        }
        n += is_job(store->folders[folder], e->d_name, &list[n]);
    }
    closedir(dir);
    if (n > 0)
        qsort(list, (size_t) n, sizeof(*list), by_age);
    if (ret >= 0 && !(*ids = calloc((size_t) n + 1, sizeof(**ids))))
        ret = RP_ERR_NOMEM;
    for (int i = 0; ret >= 0 && i < n; i++)
        memcpy((*ids)[i], list[i].id, JOB_ID_SIZE);
    free(list);
    return ret < 0 ? ret : n;
}
