/* See http.h. The callers rely on two rules: an error page never reaches data(), and no redirect
 * leads from HTTPS to HTTP. */
#include "models/http.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <strings.h>

#include <curl/curl.h>

#define CONNECT_SECONDS 5
#define LEAST_BYTES 1024 /* per second, on average over `patience` */
#define MAX_REDIRECTS 10L
#define MAX_HEADERS 65536 /* bytes of all answers of a chain together */

struct transfer {
    const struct rp_http_request *request;
    struct rp_http_reply *reply;
    CURL *curl;
    size_t headers; /* bytes so far */
    bool begun, stopped;
};

static bool works;

/* Also begins OpenSSL, which is not to be used when that failed. */
static void init_once(void)
{
    works = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

/* A handle with the settings that all our connections have; NULL when out of memory. */
static CURL *new_handle(const char *url, long connect_seconds)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *const bundle = getenv("CURL_CA_BUNDLE"); /* as the curl program does */

    pthread_once(&once, init_once);
    CURL *const curl = works ? curl_easy_init() : NULL;
    if (!curl)
        return NULL;
    if (curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK) {
        curl_easy_cleanup(curl);
        return NULL;
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect_seconds);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a hanging resolver */
#endif
    if (bundle && *bundle)
        curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
    return curl;
}

/* Why it failed. Without memory libcurl calls it by other names, but malloc() left ENOMEM in errno,
 * which was 0 before. */
static const char *problem_of(CURLcode code, const char *words)
{
    if (code == CURLE_OUT_OF_MEMORY || errno == ENOMEM)
        return "out of memory";
    return *words ? words : curl_easy_strerror(code);
}

/* ---- headers --------------------------------------------------------------------------------- */

/* The value of header `name` in a line, without blanks around it; NULL if the line is another
 * header. */
static const char *header_value(const char *line, const char *name)
{
    const size_t n = strlen(name);

    if (strncasecmp(line, name, n) != 0 || line[n] != ':')
        return NULL;
    return line + n + 1 + strspn(line + n + 1, " \t");
}

static void read_header(struct rp_http_reply *reply, const char *line)
{
    const char *v;
    long long first, total;

    if (!strncasecmp(line, "HTTP/", 5)) { /* each answer of a chain of redirects starts afresh */
        reply->first = 0;
        reply->total = -1;
        reply->validator[0] = '\0';
        reply->status = strtol(line + strcspn(line, " "), NULL, 10);
    } else if ((v = header_value(line, "ETag")) && *v == '"') { /* a weak one promises no bytes */
        snprintf(reply->validator, sizeof(reply->validator), "%s", v);
    } else if ((v = header_value(line, "Last-Modified")) && reply->validator[0] != '"') {
        snprintf(reply->validator, sizeof(reply->validator), "%s", v);
    } else if ((v = header_value(line, "Content-Range"))) {
        if (sscanf(v, "bytes %lld-%*d/%lld", &first, &total) == 2 && first >= 0 && total >= 0) {
            reply->first = first;
            reply->total = total;
        }
    } else if ((v = header_value(line, "Content-Length")) && reply->status == 200) {
        reply->total = RP_MAX(strtoll(v, NULL, 10), -1);
    }
}

void rp_http_header(struct rp_http_reply *reply, const char *data, size_t size)
{
    char line[512];
    size_t n = RP_MIN(size, sizeof(line) - 1);

    memcpy(line, data, n);
    while (n && isspace((unsigned char) line[n - 1]))
        n--;
    line[n] = '\0';
    read_header(reply, line);
}

static size_t on_header(char *data, size_t one, size_t size, void *priv)
{
    struct transfer *const t = priv;

    (void) one;
    if ((t->headers += size) > MAX_HEADERS)
        return 0;
    rp_http_header(t->reply, data, size);
    return size;
}

/* ---- one transfer ---------------------------------------------------------------------------- */

static bool begin(struct transfer *t)
{
    if (!t->begun && t->request->begin && t->request->begin(t->request->priv, t->reply))
        t->stopped = true;
    t->begun = true;
    return !t->stopped;
}

static size_t on_data(char *data, size_t one, size_t size, void *priv)
{
    struct transfer *const t = priv;

    (void) one;
    if (!begin(t))
        return 0;
    if (t->request->data(t->request->priv, data, size)) {
        t->stopped = true;
        return 0;
    }
    return size;
}

static int on_tick(void *priv, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *const t = priv;

    (void) a;
    (void) b;
    (void) c;
    (void) d;
    if (!t->stopped && t->request->tick && t->request->tick(t->request->priv))
        t->stopped = true;
    return t->stopped;
}

static struct curl_slist *headers_of(const struct rp_http_request *r)
{
    char line[192];

    if (r->from <= 0 || !r->if_range)
        return NULL;
    snprintf(line, sizeof(line), "If-Range: %s", r->if_range);
    return curl_slist_append(NULL, line);
}

static void set_request(struct transfer *t, struct curl_slist *headers)
{
    char range[32];
    const struct rp_http_request *const r = t->request;
    const char *const onward = !strncasecmp(r->url, "https:", 6) ? "https" : "http,https";

    curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "reprise");
    curl_easy_setopt(t->curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, MAX_REDIRECTS);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, onward);
#else
    curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS,
                     (strchr(onward, ',') ? CURLPROTO_HTTP : 0) | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_LIMIT, (long) LEAST_BYTES);
    curl_easy_setopt(t->curl, CURLOPT_LOW_SPEED_TIME, (long) r->patience);
    curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_tick);
    curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t);
    if (headers)
        curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
    if (r->from > 0) { /* not RESUME_FROM, which refuses an answer with the whole file */
        snprintf(range, sizeof(range), "%lld-", (long long) r->from);
        curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
    }
}

static enum rp_http_end end_of(const struct transfer *t, CURLcode code, const char *words)
{
    struct rp_http_reply *const reply = t->reply;
    double taken = 0;

    snprintf(reply->problem, sizeof(reply->problem), "%s", problem_of(code, words));
    curl_easy_getinfo(t->curl, CURLINFO_PRETRANSFER_TIME, &taken);
    if (code == CURLE_OK) {
        reply->problem[0] = '\0';
        return RP_HTTP_DONE;
    }
    if (t->stopped)
        return RP_HTTP_STOPPED;
    if (t->headers > MAX_HEADERS) {
        snprintf(reply->problem, sizeof(reply->problem), "sends more than %d bytes of headers",
                 MAX_HEADERS);
        return RP_HTTP_REFUSED;
    }
    if (code == CURLE_HTTP_RETURNED_ERROR) {
        snprintf(reply->problem, sizeof(reply->problem), "HTTP status %ld", reply->status);
        return RP_HTTP_REFUSED;
    }
    if (code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_URL_MALFORMAT)
        return RP_HTTP_REFUSED;
    if (taken <= 0) /* nothing was ever sent */
        return RP_HTTP_AWAY;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(reply->problem, sizeof(reply->problem), "less than 1 kB a second for %d s",
                 t->request->patience);
        return RP_HTTP_SLOW;
    }
    return RP_HTTP_BROKEN;
}

enum rp_http_end rp_http_get(const struct rp_http_request *request, struct rp_http_reply *reply)
{
    char words[CURL_ERROR_SIZE] = "";
    struct transfer t = {.request = request, .reply = reply};

    *reply = (struct rp_http_reply){.total = -1};
    t.curl = new_handle(request->url, CONNECT_SECONDS);
    if (!t.curl) {
        snprintf(reply->problem, sizeof(reply->problem), "out of memory");
        return RP_HTTP_AWAY;
    }
    struct curl_slist *const headers = headers_of(request);
    curl_easy_setopt(t.curl, CURLOPT_ERRORBUFFER, words);
    set_request(&t, headers);
    errno = 0;
    CURLcode code = curl_easy_perform(t.curl);
    if (code == CURLE_OK && !begin(&t)) /* an empty body */
        code = CURLE_WRITE_ERROR;
    const enum rp_http_end end = end_of(&t, code, words);
    curl_slist_free_all(headers);
    curl_easy_cleanup(t.curl);
    return end;
}

/* ---- probing --------------------------------------------------------------------------------- */

enum { MAX_PROBES = 32 };

struct probe {
    CURL *curl;
    char words[CURL_ERROR_SIZE];
};

static void take_results(CURLM *multi, struct rp_http_host *hosts, struct probe *probes, int n)
{
    int left;
    const CURLMsg *m;

    while ((m = curl_multi_info_read(multi, &left))) {
        for (int i = 0; i < n; i++) {
            if (m->msg != CURLMSG_DONE || probes[i].curl != m->easy_handle)
                continue;
            hosts[i].answers = m->data.result == CURLE_OK;
            snprintf(hosts[i].problem, sizeof(hosts[i].problem), "%s",
                     hosts[i].answers ? "" : problem_of(m->data.result, probes[i].words));
        }
    }
}

void rp_http_probe(struct rp_http_host *hosts, int n, int seconds)
{
    int running = 1;
    struct probe probes[MAX_PROBES] = {0};
    const double end = rp_now() + seconds;

    n = RP_MIN(n, MAX_PROBES);
    for (int i = 0; i < n; i++) {
        hosts[i].answers = false;
        snprintf(hosts[i].problem, sizeof(hosts[i].problem), "no answer in %d s", seconds);
        if (!(probes[i].curl = new_handle(hosts[i].url, seconds))) {
            snprintf(hosts[i].problem, sizeof(hosts[i].problem), "out of memory");
            continue;
        }
        curl_easy_setopt(probes[i].curl, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(probes[i].curl, CURLOPT_ERRORBUFFER, probes[i].words);
    }
    errno = 0;
    CURLM *const multi = curl_multi_init();
    for (int i = 0; multi && i < n; i++) {
        if (probes[i].curl)
            curl_multi_add_handle(multi, probes[i].curl);
    }
    while (multi && running && rp_now() < end) {
        if (curl_multi_perform(multi, &running) ||
            (running && curl_multi_poll(multi, NULL, 0, 100, NULL)))
            break;
        take_results(multi, hosts, probes, n);
    }
    const bool lacks = errno == ENOMEM;
    for (int i = 0; i < n; i++) {
        if (lacks && !hosts[i].answers)
            snprintf(hosts[i].problem, sizeof(hosts[i].problem), "out of memory");
        if (multi && probes[i].curl)
            curl_multi_remove_handle(multi, probes[i].curl);
        curl_easy_cleanup(probes[i].curl);
    }
    curl_multi_cleanup(multi);
}
