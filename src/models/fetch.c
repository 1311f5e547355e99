/* Fetches one file, trying one host after the other: lock, continue, check, rename.
 *
 * Only finish() touches the final name, and it runs only when the sums of the part are right. */
#include "models/download.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/path.h"
#include "models/http.h"
#include "models/memory.h"

#define MAX_TRIES 3            /* per host, without a single byte between them */
#define MAX_BREAKS 50          /* of connections, in all, per host */
#define MAX_SECONDS (12 * 3600.0) /* for a file from one host */
#define HASH_SECONDS 60.0        /* for a .hash file */
#define TELL_SECONDS 0.2

RP_PRINTF(2, 3) static void problem(struct rp_fetch *f, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->problem, sizeof(f->problem), fmt, args);
    va_end(args);
}

/* A failure of this machine, which no other host could cure. Returns -1. */
RP_PRINTF(3, 4)
static int local_failure(struct rp_fetch *f, int status, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(f->why, f->why_size, fmt, args);
    va_end(args);
    f->local_failure = true;
    f->status = status;
    return -1;
}

static void add_why(struct rp_fetch *f, const struct rp_host *host)
{
    const size_t n = strlen(f->why);

    snprintf(f->why + n, f->why_size - n, "%s%s: %s", n ? "; " : "", host->name, f->problem);
}

/* What the file is called that is fetched, and how many bytes it has (0: not known) or may have. */
static const char *name_of(const struct rp_fetch *f)
{
    return f->package ? f->package : f->entry->name;
}

static int64_t size_of(const struct rp_fetch *f)
{
    return f->package ? 0 : f->entry->size;
}

static int64_t most_of(const struct rp_fetch *f)
{
    return f->package ? RP_LITE_PACKAGE : rp_model_most(f->entry);
}

/* ---- the part -------------------------------------------------------------------------------- */

static char *beside(const char *path, const char *ext)
{
    const char *const base = rp_path_base(path);

    return rp_asprintf("%.*s.%s.%s", (int) (base - path), path, base, ext);
}

static bool same_file(int fd, const char *path)
{
    struct stat a, b;

    return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int lock(const struct rp_fetch *f)
{
    int ret = flock(f->fd, LOCK_EX | LOCK_NB);

    if (ret < 0 && errno == EWOULDBLOCK) {
        rp_log(RP_LOG_INFO, "another process is fetching %s; waiting for it", name_of(f));
        while ((ret = flock(f->fd, LOCK_EX)) < 0 && errno == EINTR)
            ;
    }
    return ret;
}

/* The part is its own lock. After waiting for the lock the file held may have another name by
 * now. */
static int open_part(struct rp_fetch *f)
{
    for (;;) {
        f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (f->fd < 0)
            return local_failure(f, rp_io_status(errno), "%s cannot be written: %s", f->part,
                                 strerror(errno));
        if (lock(f) < 0)
            return local_failure(f, rp_io_status(errno), "%s cannot be locked: %s", f->part,
                                 strerror(errno));
        if (same_file(f->fd, f->part))
            return 0;
        close(f->fd);
        f->fd = -1;
    }
}

static bool state_of(const char *path, struct stat *st)
{
    if (!stat(path, st))
        return true;
    memset(st, 0, sizeof(*st));
    return false;
}

int rp_fetch_begin(struct rp_fetch *f)
{
    struct stat before, after, part;
    char *const dir = rp_path_dir(f->path);

    f->fd = -1;
    char *const at = !f->package ? strdup(f->path) : dir ? rp_path_join(dir, f->package) : NULL;
    f->part = at ? beside(at, "part") : NULL;
    f->note = at ? beside(at, "from") : NULL;
    free(at);
    if (!dir || !f->part || !f->note) {
        free(dir);
        return local_failure(f, RP_ERR_NOMEM, "out of memory");
    }
    state_of(f->path, &before);
    rp_log_hold(true);
    const int made = rp_path_mkdirs(dir);
    rp_log_hold(false);
    free(dir);
    if (made < 0)
        return local_failure(f, made, "%s", rp_last_error());
    if (open_part(f) < 0)
        return -1;
    if (state_of(f->path, &after) &&
        (!f->replace || after.st_ino != before.st_ino || after.st_size != before.st_size))
        return 1;
    f->size = fstat(f->fd, &part) ? 0 : part.st_size;
    f->total = size_of(f) > 0 ? size_of(f) : -1;
    f->begun = rp_now();
    return 0;
}

static int restart(struct rp_fetch *f)
{
    f->size = 0;
    unlink(f->note);
    return ftruncate(f->fd, 0)
               ? local_failure(f, rp_io_status(errno), "%s: %s", f->part, strerror(errno))
               : 0;
}

void rp_fetch_end(struct rp_fetch *f)
{
    if (f->fn && f->told > 0)
        f->fn(f->priv, &(rp_download){.kind = rp_model_kind_name(f->entry->kind),
                                      .name = f->entry->name, .ended = true});
    if (f->fd >= 0 && f->size == 0 && same_file(f->fd, f->part)) {
        unlink(f->part);
        unlink(f->note);
    }
    if (f->fd >= 0)
        close(f->fd);
    free(f->part);
    free(f->note);
}

/* ---- where the part came from ---------------------------------------------------------------- */

static void write_note(const struct rp_fetch *f, const char *validator)
{
    char *const text = rp_asprintf("%s\n%s\n", f->host->base, validator);

    rp_log_hold(true);
    if (!text || !*validator || rp_file_write(f->note, text, strlen(text)) < 0)
        unlink(f->note);
    rp_log_hold(false);
    free(text);
}

/* The validator of the part if that came from this host, else NULL: each host has its own
 * validators. Then only the sums decide. */
static char *read_note(const struct rp_fetch *f)
{
    size_t size;
    uint8_t *data = NULL;
    char *validator = NULL, *line;

    rp_log_hold(true);
    const int ret = rp_path_is_file(f->note) ? rp_file_read(f->note, 1024, &data, &size) : -1;
    rp_log_hold(false);
    if (ret >= 0 && (line = strchr((char *) data, '\n'))) {
        *line++ = '\0';
        line[strcspn(line, "\n")] = '\0';
        if (!strcmp((char *) data, f->host->base) && *line)
            validator = strdup(line);
    }
    free(data);
    return validator;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Report progress. -1 if the caller wants to stop. */
static int tell(void *priv)
{
    struct rp_fetch *const f = priv;
    const double now = rp_now();

    if (!f->fn || now - f->told < TELL_SECONDS)
        return 0;
    f->told = now;
    rp_download state = {
        .kind = rp_model_kind_name(f->entry->kind),
        .name = f->entry->name,
        .host = f->host->name,
        .bytes_done = f->size,
        .bytes_total = RP_MAX(f->total, 0),
        .seconds = now - f->begun,
    };
    if (f->said && state.seconds > 0)
        state.bytes_per_second = (double) (f->size - f->begun_size) / state.seconds;
    if (!f->fn(f->priv, &state))
        return 0;
    return local_failure(f, RP_ERR_CANCELLED, "interrupted");
}

/* About once a second: -1 to stop, as the caller wants or because it takes too long. */
static int on_tick(void *priv)
{
    struct rp_fetch *const f = priv;

    if (rp_now() - f->asked > MAX_SECONDS) {
        problem(f, "not complete after %.0f hours", MAX_SECONDS / 3600);
        return -1;
    }
    return tell(f);
}

static int check_room(struct rp_fetch *f)
{
    struct statvfs st;
    const int64_t need = f->total - f->size;

    if (f->total < 0 || fstatvfs(f->fd, &st) || st.f_blocks == 0)
        return 0;
    const int64_t have = (int64_t) st.f_bavail * (int64_t) st.f_frsize;
    if (have >= need)
        return 0;
    return local_failure(f, RP_ERR_AGAIN, "%s needs %.1f MB and the disk has %.1f MB free", f->path,
                         (double) need / 1e6, (double) have / 1e6);
}

static void say_begin(struct rp_fetch *f)
{
    char size[32] = "";

    if (f->said)
        return;
    f->said = true;
    f->begun = rp_now();
    f->begun_size = f->size;
    if (f->total > 0)
        snprintf(size, sizeof(size), " (%.1f MB)", (double) f->total / 1e6);
    rp_log(RP_LOG_INFO, "%s %s%s from %s", f->size ? "fetching the rest of" : "fetching",
           name_of(f), size, f->host->name);
}

static int on_begin(void *priv, const struct rp_http_reply *reply)
{
    struct rp_fetch *const f = priv;

    if (reply->status != 206 && f->size && restart(f) < 0)
        return -1;
    if (reply->first != f->size) { /* not the requested part: request all of it */
        problem(f, "answers with other bytes than requested");
        f->whole = true;
        return -1;
    }
    f->total = reply->total > 0 ? reply->total : size_of(f) > 0 ? size_of(f) : -1;
    if (size_of(f) > 0 && f->total != size_of(f)) {
        problem(f, "%lld bytes there instead of %lld", (long long) f->total,
                (long long) size_of(f));
        f->status = RP_ERR_MODEL;
        return -1;
    }
    if (f->total > most_of(f)) {
        problem(f, "%lld bytes there, and such a model has at most %lld", (long long) f->total,
                (long long) most_of(f));
        f->status = RP_ERR_MODEL;
        return -1;
    }
    if (check_room(f) < 0)
        return -1;
    if (reply->status != 206)
        write_note(f, reply->validator);
    say_begin(f);
    return 0;
}

static int on_data(void *priv, const void *data, size_t size)
{
    struct rp_fetch *const f = priv;
    const char *at = data;

    const int64_t most = f->total > 0 ? f->total : most_of(f);

    if (f->size + (int64_t) size > most) {
        problem(f, "sends more than %lld bytes", (long long) most);
        f->status = RP_ERR_MODEL;
        restart(f);
        return -1;
    }
    while (size) {
        const ssize_t n = pwrite(f->fd, at, size, f->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) { /* give the space back */
            const int error = n < 0 ? errno : EIO;
            restart(f);
            return local_failure(f, rp_io_status(error), "%s: writing: %s", f->part,
                                 strerror(error));
        }
        at += n;
        size -= (size_t) n;
        f->size += n;
    }
    return 0;
}

/* "NAME@VERSION" at the npm registry. */
static char *package_url(const struct rp_host *host, const char *package)
{
    const int n = (int) strcspn(package, "@");

    return rp_asprintf("%s/%.*s/-/%.*s-%s.tgz", host->base, n, package, n, package,
                       package + n + (package[n] == '@'));
}

static char *url_of(const struct rp_host *host, const struct rp_model_entry *e, const char *ext)
{
    const char *const name = rp_path_base(e->file);
    const int stem = ext ? (int) (rp_path_ext(name) - name) : (int) strlen(name);

    if (host->provider == 0)
        return rp_asprintf("%s/facefusion/facefusion-assets/releases/download/%s/%.*s%s",
                           host->base, e->base, stem, name, ext ? ext : "");
    return rp_asprintf("%s/facefusion/%s/resolve/main/%.*s%s", host->base, e->base, stem, name,
                       ext ? ext : "");
}

/* ---- tries ----------------------------------------------------------------------------------- */

struct tries {
    int without_gain, breaks;
};

static bool passes_by_itself(long status)
{
    return status >= 500 || status == 408 || status == 429;
}

/* Is another try with this host worthwhile? Waits before it. */
static bool try_again(struct rp_fetch *f, struct rp_host *host, enum rp_http_end end,
                      const struct rp_http_reply *reply, bool gained, struct tries *t)
{
    if (end != RP_HTTP_STOPPED)
        problem(f, "%s", reply->problem);
    if (end == RP_HTTP_AWAY) {
        host->away = true;
        snprintf(host->problem, sizeof(host->problem), "%s", reply->problem);
    }
    if (end != RP_HTTP_BROKEN && !(end == RP_HTTP_REFUSED && passes_by_itself(reply->status))) {
        f->passes |= end == RP_HTTP_AWAY || end == RP_HTTP_SLOW;
        return false;
    }
    f->passes = true;
    t->without_gain = gained ? 0 : t->without_gain + 1;
    if (t->without_gain >= MAX_TRIES || ++t->breaks >= MAX_BREAKS)
        return false;
    rp_log(RP_LOG_DEBUG, "%s: %s: %s; trying again", host->name, name_of(f), f->problem);
    if (!gained)
        sleep((unsigned) t->without_gain);
    return true;
}

/* ---- what is wanted -------------------------------------------------------------------------- */

struct small {
    struct rp_fetch *fetch;
    char text[64];
    size_t n;
    double begun;
    bool late;
};

static int on_small(void *priv, const void *data, size_t size)
{
    struct small *const s = priv;

    if (size > sizeof(s->text) - 1 - s->n)
        return -1;
    memcpy(s->text + s->n, data, size);
    s->n += size;
    s->text[s->n] = '\0';
    return 0;
}

static int tick_small(void *priv)
{
    struct small *const s = priv;

    s->late = rp_now() - s->begun > HASH_SECONDS;
    return s->late ? -1 : tell(s->fetch);
}

/* The CRC from the host's .hash file, for a file whose sums the catalogue does not know. */
static bool fetch_crc(struct rp_fetch *f, struct rp_host *host)
{
    struct tries t = {0};
    struct small s;
    struct rp_http_reply reply;
    enum rp_http_end end;
    char *const url = url_of(host, f->entry, "hash");

    if (!url) {
        local_failure(f, RP_ERR_NOMEM, "out of memory");
        return false;
    }
    do {
        s = (struct small){.fetch = f, .begun = rp_now()};
        end = rp_http_get(&(struct rp_http_request){.url = url, .patience = f->patience,
                                                    .data = on_small, .tick = tick_small,
                                                    .priv = &s}, &reply);
    } while (end != RP_HTTP_DONE && try_again(f, host, end, &reply, false, &t));
    free(url);
    f->has_crc = end == RP_HTTP_DONE && s.n == 8 && strspn(s.text, "0123456789abcdefABCDEF") == 8;
    if (f->has_crc)
        f->crc = (uint32_t) strtoul(s.text, NULL, 16);
    else if (end == RP_HTTP_STOPPED && s.late)
        problem(f, "its .hash file is not complete after %.0f s", HASH_SECONDS);
    else if (end == RP_HTTP_DONE || end == RP_HTTP_STOPPED)
        problem(f, "its .hash file is not 8 hex digits");
    return f->has_crc;
}

/* RP_ERR_MODEL, with a problem, if the part is not the right file. */
static int check_part(struct rp_fetch *f, struct rp_sums *sums)
{
    const struct rp_model_entry *const e = f->entry;

    rp_log_hold(true);
    const int ret = rp_sums_file(f->part, sums);
    rp_log_hold(false);
    if (ret < 0)
        return local_failure(f, ret, "%s", rp_last_error());
    if (e->size > 0 && f->size != e->size)
        problem(f, "%lld bytes there instead of %lld", (long long) f->size, (long long) e->size);
    else if (e->sha256 && strcmp(sums->sha256, e->sha256) != 0)
        problem(f, "the file there does not have the expected SHA-256");
    else if (!e->sha256 && sums->crc32 != f->crc)
        problem(f, "the file there has CRC-32 %08x instead of %08x", sums->crc32, f->crc);
    else
        return 0;
    f->status = RP_ERR_MODEL;
    return RP_ERR_MODEL;
}

/* ---- the end --------------------------------------------------------------------------------- */

static int write_hash(const struct rp_fetch *f, const struct rp_sums *sums)
{
    char text[9];
    char *const path = rp_asprintf("%.*shash", (int) (rp_path_ext(f->path) - f->path), f->path);

    snprintf(text, sizeof(text), "%08x", sums->crc32);
    rp_log_hold(true);
    const int ret = path ? rp_file_write(path, text, 8)
                         : rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_log_hold(false);
    free(path);
    return ret;
}

static bool finish(struct rp_fetch *f, const struct rp_sums *sums)
{
    const int ret = write_hash(f, sums);

    if (ret < 0) {
        local_failure(f, ret, "%s", rp_last_error());
        return false;
    }
    if ((fsync(f->fd) && errno != EINVAL && errno != EROFS) || rename(f->part, f->path)) {
        local_failure(f, rp_io_status(errno), "%s: cannot be completed: %s", f->path,
                      strerror(errno));
        return false;
    }
    unlink(f->note);
    rp_memory_keep(f->path, sums);
    return true;
}

static enum rp_http_end ask(struct rp_fetch *f, struct rp_http_reply *reply)
{
    char *const validator = read_note(f);
    char *const url =
        f->package ? package_url(f->host, f->package) : url_of(f->host, f->entry, NULL);
    enum rp_http_end end = RP_HTTP_STOPPED;

    *reply = (struct rp_http_reply){0};
    f->asked = f->asked_host == f->host ? f->asked : rp_now();
    f->asked_host = f->host;
    if (!url)
        local_failure(f, RP_ERR_NOMEM, "out of memory");
    else
        end = rp_http_get(&(struct rp_http_request){.url = url,
                                                    .from = f->size,
                                                    .if_range = validator,
                                                    .patience = f->patience,
                                                    .begin = on_begin,
                                                    .data = on_data,
                                                    .tick = on_tick,
                                                    .priv = f},
                          reply);
    free(url);
    free(validator);
    return end;
}

/* Complete the part; false, with a problem, if that fails. */
static bool receive(struct rp_fetch *f, struct rp_host *host)
{
    struct tries t = {0};

    for (;;) {
        struct rp_http_reply reply;
        const int64_t before = f->size;

        if (size_of(f) > 0 && f->size == size_of(f))
            return true; /* complete, but the last run was stopped before it checked */
        f->whole = false;
        const enum rp_http_end end = ask(f, &reply);
        if (end == RP_HTTP_DONE)
            return true;
        if (end == RP_HTTP_REFUSED && reply.status == 416 && f->size)
            return true; /* there is nothing more to fetch: the sums decide */
        if (f->local_failure)
            return false;
        if (f->whole && before && !restart(f))
            continue;
        if (!try_again(f, host, end, &reply, f->size > before, &t))
            return false;
    }
}

/* The files of a complete package go to their places; false, with a problem, if it is wrong. */
static bool unpack(struct rp_fetch *f)
{
    char *const folder = rp_path_dir(f->path);

    if (!folder) {
        local_failure(f, RP_ERR_NOMEM, "out of memory");
        return false;
    }
    rp_log_hold(true);
    const int ret = rp_lite_unpack(f->package, f->part, folder, f->put);
    rp_log_hold(false);
    free(folder);
    if (ret >= 0) {
        f->size = 0; /* the part is not needed any more: rp_fetch_end() removes it */
        return true;
    }
    if (ret != RP_ERR_MODEL) {
        local_failure(f, ret, "%s", rp_last_error());
        return false;
    }
    problem(f, "%s", rp_last_error());
    f->status = RP_ERR_MODEL;
    return false;
}

static bool check_and_finish(struct rp_fetch *f)
{
    struct rp_sums sums;

    return f->package ? unpack(f) : !check_part(f, &sums) && finish(f, &sums);
}

bool rp_fetch_from(struct rp_fetch *f, struct rp_host *host)
{
    bool old = f->size > 0; /* has bytes from an earlier run or another host */

    f->host = host;
    f->problem[0] = '\0';
    f->has_crc = f->entry->crc32 != 0;
    f->crc = f->entry->crc32;
    bool again = f->package || f->entry->sha256 || f->has_crc || fetch_crc(f, host);
    while (again && receive(f, host)) {
        if (check_and_finish(f))
            return true;
        if (f->local_failure)
            return false;
        again = old; /* perhaps pieces of two files: start again */
        old = false;
        if (restart(f) < 0)
            return false;
    }
    if (!f->local_failure)
        add_why(f, host);
    return false;
}
