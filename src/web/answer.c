/* What is sent: JSON, files and ranges of them, errors. */
#include "web/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLICY                                                                                    \
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; " \
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

void web_header(struct web_request *r, const char *name, const char *value)
{
    if (r->answer)
        (void) MHD_add_response_header(r->answer, name, value);
}

/* Takes over the response; NULL: out of memory, the connection ends. */
void web_answer(struct web_request *r, unsigned status, struct MHD_Response *response,
                const char *type)
{
    if (r->answer)
        MHD_destroy_response(r->answer);
    r->answer = response;
    r->status = status;
    if (type)
        web_header(r, "Content-Type", type);
    web_header(r, "Content-Security-Policy", POLICY);
    web_header(r, "X-Content-Type-Options", "nosniff");
    web_header(r, "X-Frame-Options", "DENY");
    web_header(r, "Referrer-Policy", "no-referrer");
    web_header(r, "Cross-Origin-Resource-Policy", "same-origin");
    web_header(r, "Cross-Origin-Opener-Policy", "same-origin");
    web_header(r, "Cache-Control", r->route && r->route->open ? "no-cache" : "no-store");
}

void web_answer_text(struct web_request *r, const char *type, char *text)
{
    web_answer(r, 200,
               text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE)
                    : NULL,
               type);
}

void web_answer_json(struct web_request *r, unsigned status, json_t *json)
{
    char *const text = rp_json_text(json, WEB_JSON_LINE);

    json_decref(json);
    web_answer_text(r, "application/json", text);
    r->status = status;
}

/* libmicrohttpd only reads it, but does not say so. */
static void *unconst(const void *data)
{
    const union {
        const void *given;
        void *taken;
    } same = {.given = data};

    return same.taken;
}

void web_answer_static(struct web_request *r, const char *type, const void *data, size_t size)
{
    web_answer(r, 200, MHD_create_response_from_buffer(size, unconst(data), MHD_RESPMEM_PERSISTENT),
               type);
}

void web_answer_nothing(struct web_request *r)
{
    web_answer(r, 204, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), NULL);
}

/* ---- files ---- */

struct range {
    int64_t first, count;
    bool given, wrong;
};

/* One range of bytes: "bytes=2-5", "bytes=2-", "bytes=-5". Others are ignored, as HTTP allows. */
static struct range read_range(struct web_request *r, int64_t size)
{
    const struct range all = {.count = size};
    const char *const text = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Range");
    long long first = -1, last = -1;
    int n = 0;

    if (!text || strchr(text, ','))
        return all;
    if (sscanf(text, "bytes=-%lld%n", &last, &n) == 1 && n && !text[n]) {
        if (last <= 0)
            return (struct range){.wrong = true};
        first = last < size ? size - last : 0;
        last = size - 1;
    } else if (sscanf(text, "bytes=%lld-%n", &first, &n) == 1 && n && !text[n]) {
        last = size - 1;
    } else if (sscanf(text, "bytes=%lld-%lld%n", &first, &last, &n) != 2 || !n || text[n] ||
               last < first) {
        return all;
    }
    if (first < 0 || first >= size)
        return (struct range){.wrong = true};
    if (last >= size)
        last = size - 1;
    return (struct range){.first = first, .count = last - first + 1, .given = true};
}

/* RFC 8187: every byte that is no letter, digit, dot, dash or underscore as %XX. */
static void add_name(struct web_request *r, const char *name)
{
    char line[64 + 3 * WEB_NAME] = "attachment; filename*=UTF-8''";
    size_t n = strlen(line);

    for (const unsigned char *c = (const unsigned char *) name; *c && n + 4 < sizeof(line); c++) {
        const bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                           (*c >= '0' && *c <= '9') || strchr("._-", *c);

        n += (size_t) snprintf(line + n, sizeof(line) - n, plain ? "%c" : "%%%02X", *c);
    }
    web_header(r, "Content-Disposition", line);
}

void web_answer_file(struct web_request *r, const char *path, const char *type, const char *name)
{
    char line[96];
    struct stat st;
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        web_refuse(r, 404, "not_found", "The file is gone");
        return;
    }
    const struct range range = read_range(r, st.st_size);
    if (range.wrong) {
        close(fd);
        web_refuse(r, 416, "wrong_range", "The range is outside of the file");
        snprintf(line, sizeof(line), "bytes */%lld", (long long) st.st_size);
        web_header(r, "Content-Range", line);
        return;
    }
    struct MHD_Response *const response =
        MHD_create_response_from_fd_at_offset64((uint64_t) range.count, fd, (uint64_t) range.first);
    if (!response)
        close(fd);
    web_answer(r, range.given ? 206 : 200, response, type);
    web_header(r, "Accept-Ranges", "bytes");
    if (name)
        add_name(r, name);
    if (range.given) {
        snprintf(line, sizeof(line), "bytes %lld-%lld/%lld", (long long) range.first,
                 (long long) (range.first + range.count - 1), (long long) st.st_size);
        web_header(r, "Content-Range", line);
    }
}

/* ---- errors ---- */

/* Each code once in ten seconds, so that whoever is refused cannot fill the log. */
static void log_refusal(const struct web_request *r, unsigned status, const char *code,
                        const char *text)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct {
        const char *code;
        time_t until;
    } said[64];
    struct timespec now;
    bool quiet = false;
    int at = 0;

    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&lock);
    while (at < 63 && said[at].code && strcmp(said[at].code, code) != 0)
        at++;
    quiet = said[at].code && now.tv_sec < said[at].until;
    if (!quiet) {
        said[at].code = code;
        said[at].until = now.tv_sec + 10;
    }
    pthread_mutex_unlock(&lock);
    if (!quiet)
        rp_log(RP_LOG_WARN, "refused: %s %.200s: %u %s: %s", r->method, r->url, status, code, text);
}

void web_refuse(struct web_request *r, unsigned status, const char *code, const char *fmt, ...)
{
    char text[1024], clean[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    rp_text_clean(RP_TEXT_UTF8, text, clean, sizeof(clean));
    atomic_fetch_add(&r->server->refused, 1);
    log_refusal(r, status, code, clean);
    web_answer_json(r, status,
                    json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", clean));
}

const char *web_failure_code(int ret)
{
    switch (ret) {
    case RP_ERR_BLOCKED:
        return "content_refused";
    case RP_ERR_FORMAT:
        return "unknown_media";
    case RP_ERR_USAGE:
    case RP_ERR_INVALID:
    case RP_ERR_LIMIT:
        return "wrong_option";
    case RP_ERR_MISSING:
        return "model_missing";
    case WEB_GONE:
        return "no_medium";
    case WEB_NO_FACE:
        return "no_face";
    case WEB_STALE:
        return "wrong_option";
    case RP_ERR_CANCELLED:
        return "cancelled";
    case RP_ERR_NOMEM:
    case RP_ERR_DEVICE:
    case RP_ERR_DEVICE_MEM:
    case RP_ERR_AGAIN:
        return "try_again";
    default:
        return "failed";
    }
}

static unsigned failure_status(int ret)
{
    switch (ret) {
    case RP_ERR_BLOCKED:
        return 403;
    case RP_ERR_FORMAT:
    case RP_ERR_USAGE:
    case RP_ERR_INVALID:
    case RP_ERR_LIMIT:
    case RP_ERR_UNSUPPORTED:
    case WEB_GONE:
    case WEB_NO_FACE:
    case WEB_STALE:
        return 422;
    case RP_ERR_MISSING:
    case RP_ERR_CANCELLED:
        return 409;
    case RP_ERR_NOMEM:
    case RP_ERR_DEVICE:
    case RP_ERR_DEVICE_MEM:
    case RP_ERR_AGAIN:
        return 503;
    default:
        return 500;
    }
}

/* The file of a medium as the client calls it. `c` is behind the server's folder. */
static const char *shown_name(struct web_server *s, const char *c, char name[WEB_NAME])
{
    char id[WEB_ID + 1];
    struct web_medium m;

    *name = '\0';
    if (!strncmp(c, "media/", 6) && strspn(c + 6, "0123456789abcdef") == WEB_ID) {
        snprintf(id, sizeof(id), "%.*s", WEB_ID, c + 6);
        snprintf(name, WEB_NAME, "%s",
                 s->hooks.find_medium && s->hooks.find_medium(s, id, &m) ? m.name : "the file");
        c += 6 + WEB_ID;
    } else if (!strncmp(c, "part/", 5) && strspn(c + 5, "0123456789abcdef") == 32) {
        snprintf(name, WEB_NAME, "%s", "the file");
        c += 5 + 32;
    }
    if (*name && *c == '.')
        c += 1 + strspn(c + 1, "abcdefghijklmnopqrstuvwxyz0123456789");
    return c;
}

/* What happened, without the paths of this machine. */
static void clean_paths(struct web_server *s, const char *said, char *out, size_t size)
{
    const size_t folder = strlen(s->folder);
    char name[WEB_NAME];
    size_t n = 0;

    for (const char *c = said; *c && n + 1 < size;) {
        if (!strncmp(c, s->folder, folder) && c[folder] == '/') {
            c = shown_name(s, c + folder + 1, name);
            n += (size_t) snprintf(out + n, size - n, "%s", name);
        } else {
            out[n++] = *c++;
        }
    }
    out[n < size ? n : size - 1] = '\0';
}

void web_failure_text(struct web_server *s, int ret, char *out, size_t size)
{
    const char *const said = ret == WEB_GONE       ? "A medium is no longer here"
                             : ret == WEB_NO_FACE  ? "The frame has no face of this number"
                             : ret == WEB_STALE    ? "An option cannot be set by a client"
                             : ret == RP_ERR_NOMEM ? "Memory ran out"
                             : *rp_last_error()    ? rp_last_error()
                                                   : "It failed";

    clean_paths(s, said, out, size);
}

void web_fail(struct web_request *r, int ret)
{
    char text[1024];

    web_failure_text(r->server, ret, text, sizeof(text));
    web_refuse(r, failure_status(ret), web_failure_code(ret), "%s", text);
}

/* ---- requests ---- */

bool web_query_number(struct web_request *r, const char *name, int64_t least, int64_t most,
                      int64_t otherwise, int64_t *out)
{
    const char *const text =
        MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name);
    char *end = NULL;

    *out = otherwise;
    if (!text)
        return true;
    const long long v = strtoll(text, &end, 10);
    if (end == text || *end || v < least || v > most) {
        web_refuse(r, 422, "wrong_value", "%s is not a whole number from %lld to %lld", name,
                   (long long) least, (long long) most);
        return false;
    }
    *out = v;
    return true;
}

void web_request_done(struct web_request *r)
{
    MHD_resume_connection(r->connection);
}
