/* The folder of media, jobs and results: nobody else's, and one server's at a time. */
#include "web/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const parts[] = {"media", "part", "faces", "jobs", "results", NULL};

void web_path(const struct web_server *s, char out[WEB_PATH], const char *fmt, ...)
{
    va_list args;
    const int n = snprintf(out, WEB_PATH, "%s/", s->folder);

    va_start(args, fmt);
    vsnprintf(out + n, (size_t) (WEB_PATH - n), fmt, args);
    va_end(args);
}

/* A folder of this user, that others cannot read, and no link to elsewhere. */
static int make_folder(const char *path)
{
    struct stat st;

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        rp_log(RP_LOG_ERROR, "%s: %s", path, strerror(errno));
        return RP_ERR_IO;
    }
    if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        rp_log(RP_LOG_ERROR, "%s: not a folder of this user's own", path);
        return RP_ERR_IO;
    }
    if ((st.st_mode & 077) && chmod(path, 0700) != 0) {
        rp_log(RP_LOG_ERROR, "%s: %s", path, strerror(errno));
        return RP_ERR_IO;
    }
    return 0;
}

/* With the folders above it. */
static int make_all(char *path)
{
    for (char *c = strchr(path + 1, '/'); c; c = strchr(c + 1, '/')) {
        *c = '\0';
        const bool failed = mkdir(path, 0700) != 0 && errno != EEXIST;
        *c = '/';
        if (failed)
            break;
    }
    return make_folder(path);
}

/* ~/.local/state/reprise/web, or as the user's XDG_STATE_HOME says. */
static int choose(struct web_server *s)
{
    const char *const state = getenv("XDG_STATE_HOME"), *const home = getenv("HOME");
    char given[WEB_PATH] = "";

    if (s->params->folder && *s->params->folder)
        snprintf(given, sizeof(given), "%s", s->params->folder);
    else if (state && *state == '/')
        snprintf(given, sizeof(given), "%s/reprise/web", state);
    else if (home && *home)
        snprintf(given, sizeof(given), "%s/.local/state/reprise/web", home);
    if (!*given || strlen(given) > WEB_PATH - 256) {
        rp_log(RP_LOG_ERROR, "--web-path: no folder for media and jobs is known; give one");
        return RP_ERR_USAGE;
    }
    if (make_all(given) < 0)
        return RP_ERR_IO;
    if (!realpath(given, s->folder) || strlen(s->folder) > WEB_PATH - 256) {
        rp_log(RP_LOG_ERROR, "%s: %s", given, strerror(errno));
        return RP_ERR_IO;
    }
    return 0;
}

static void remove_part(struct web_server *s, const char *name)
{
    char path[WEB_PATH];

    web_path(s, path, "part/%s", name);
    (void) unlink(path);
}

int web_folder_open(struct web_server *s)
{
    char path[WEB_PATH];
    int ret;

    s->lock = -1;
    if ((ret = choose(s)) < 0)
        return ret;
    for (int i = 0; parts[i]; i++) {
        web_path(s, path, "%s", parts[i]);
        if ((ret = make_folder(path)) < 0)
            return ret;
    }
    web_path(s, path, "lock");
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        rp_log(RP_LOG_ERROR, "%s: %s", s->folder,
               s->lock >= 0 ? "another server uses this folder; give one of its own with --web-path"
                            : strerror(errno));
        return RP_ERR_IO;
    }
    web_each_file(s, "part", remove_part);
    return 0;
}

void web_folder_close(struct web_server *s)
{
    if (s->lock >= 0)
        close(s->lock);
    s->lock = -1;
}

bool web_is_file(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int64_t web_file_bytes(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

void web_random_name(char *out, int letters)
{
    unsigned char bytes[32] = {0};

    (void) !getrandom(bytes, sizeof(bytes), 0);
    for (int i = 0; i < letters; i++)
        out[i] = "0123456789abcdef"[bytes[i / 2 % 32] >> (i % 2 ? 4 : 0) & 15];
    out[letters] = '\0';
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size) {
        const ssize_t n = write(fd, data, size);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            size -= (size_t) n;
        }
    }
    return true;
}

/* Under its name only when complete, and there after the power failed as well. */
static int put_in_place(const char *temporary, int fd, const char *path, bool written)
{
    char folder[WEB_PATH];

    if (written)
        written = fsync(fd) == 0;
    if (close(fd) != 0 || !written || rename(temporary, path) != 0) {
        rp_log(RP_LOG_ERROR, "%s: %s", path, strerror(errno));
        (void) unlink(temporary);
        return RP_ERR_IO;
    }
    snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    const int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at >= 0) {
        (void) fsync(at);
        close(at);
    }
    return 0;
}

static int open_part(const struct web_server *s, char temporary[WEB_PATH])
{
    char name[33];

    web_random_name(name, 32);
    web_path(s, temporary, "part/%s", name);
    return open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int web_save_json(const struct web_server *s, const char *path, const json_t *json)
{
    char temporary[WEB_PATH];
    char *const text = rp_json_text(json, JSON_INDENT(1));
    const int fd = text ? open_part(s, temporary) : -1;

    if (fd < 0) {
        const int ret = text ? RP_ERR_IO : RP_ERR_NOMEM;

        rp_log(RP_LOG_ERROR, "%s: %s", path, text ? strerror(errno) : "out of memory");
        free(text);
        return ret;
    }
    const bool written = write_all(fd, text, strlen(text));
    free(text);
    return put_in_place(temporary, fd, path, written);
}

json_t *web_load_json(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    json_t *const json = fd >= 0 ? json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (fd >= 0)
        close(fd);
    return json;
}

int web_copy_file(const struct web_server *s, const char *from, const char *to)
{
    char temporary[WEB_PATH], buffer[65536];
    const int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    const int out = in >= 0 ? open_part(s, temporary) : -1;
    bool written = true;
    ssize_t n = 0;

    if (out < 0) {
        rp_log(RP_LOG_ERROR, "%s: %s", to, strerror(errno));
        if (in >= 0)
            close(in);
        return RP_ERR_IO;
    }
    while (written && (n = read(in, buffer, sizeof(buffer))) > 0)
        written = write_all(out, buffer, (size_t) n);
    close(in);
    return put_in_place(temporary, out, to, written && n == 0);
}

void web_each_file(struct web_server *s, const char *folder,
                   void (*fn)(struct web_server *s, const char *name))
{
    char path[WEB_PATH];
    const struct dirent *entry;
    DIR *dir;

    web_path(s, path, "%s", folder);
    if (!(dir = opendir(path)))
        return;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            fn(s, entry->d_name);
    closedir(dir);
}
