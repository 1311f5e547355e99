/* Who may ask: host, origin, key, cookie; and for how long. */
#include "web/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* ---- keys ---- */

/* 32 random bytes as 43 letters. */
static int make_key(char out[48])
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[33] = {0};
    int n = 0;

    if (getrandom(bytes, 32, 0) != 32)
        return RP_ERR_IO;
    for (int i = 0; i < 33; i += 3) {
        const unsigned v = (unsigned) bytes[i] << 16 | (unsigned) bytes[i + 1] << 8 | bytes[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            out[n++] = letters[v >> shift & 63];
    }
    out[43] = '\0';
    return 0;
}

int web_guard_keys(struct web_server *s)
{
    if (make_key(s->key) < 0 || make_key(s->cookie) < 0) {
        rp_log(RP_LOG_ERROR, "no random bytes for a key");
        return RP_ERR_IO;
    }
    return 0;
}

int web_guard_cookie(struct web_server *s)
{
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    char *const path = s->params->socket ? realpath(s->params->socket, NULL) : NULL;

    if (!s->params->socket) {
        snprintf(s->cookie_name, sizeof(s->cookie_name), "reprise-%d", s->port);
        return 0;
    }
    /* who brings a browser here has a port of his own, which is not known */
    if (!path || !EVP_Digest(path, strlen(path), sum, NULL, EVP_sha256(), NULL)) {
        rp_log(RP_LOG_ERROR, "%s: %s", s->params->socket, path ? "no SHA-256" : strerror(errno));
        free(path);
        return RP_ERR_IO;
    }
    snprintf(s->cookie_name, sizeof(s->cookie_name), "reprise-%02x%02x%02x%02x%02x%02x", sum[0],
             sum[1], sum[2], sum[3], sum[4], sum[5]);
    free(path);
    return 0;
}

/* In a time that does not depend on where they differ. */
static bool same_key(const char *given, const char *key)
{
    const size_t n = strlen(key);

    return given && strlen(given) == n && CRYPTO_memcmp(given, key, n) == 0;
}

/* ---- host and origin ---- */

static bool host_is(const struct web_server *s, const char *host, const char *name)
{
    char with_port[320];
    const bool usual = s->port == (s->tls ? 443 : 80);

    snprintf(with_port, sizeof(with_port), strchr(name, ':') ? "[%s]:%d" : "%s:%d", name, s->port);
    if (!strcasecmp(host, with_port))
        return true;
    with_port[strlen(with_port) - strlen(strrchr(with_port, ':'))] = '\0';
    return usual && !strcasecmp(host, with_port);
}

/* The address that the client has reached: for a server at all addresses of a machine. */
static bool host_is_reached(const struct web_request *r, const char *host)
{
    const union MHD_ConnectionInfo *const info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof(at);
    char text[INET6_ADDRSTRLEN] = "";

    if (!info || getsockname(info->connect_fd, (struct sockaddr *) &at, &size) != 0)
        return false;
    if (at.ss_family == AF_INET)
        inet_ntop(AF_INET, &((struct sockaddr_in *) (void *) &at)->sin_addr, text, sizeof(text));
    else if (at.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((struct sockaddr_in6 *) (void *) &at)->sin6_addr, text, sizeof(text));
    return *text && host_is(r->server, host, text);
}

/* A page of another host that resolves its name to this machine sends its own name here. */
static bool host_is_ours(const struct web_request *r, const char *host)
{
    const struct web_params *const p = r->server->params;

    if (p->socket) /* no browser gets here by itself */
        return true;
    return host && (host_is(r->server, host, "localhost") ||
                    host_is(r->server, host, "127.0.0.1") || host_is(r->server, host, "::1") ||
                    (p->host && host_is(r->server, host, p->host)) || host_is_reached(r, host));
}

static bool origin_is_ours(const struct web_request *r, const char *origin, const char *host)
{
    const char *const scheme = r->server->tls ? "https://" : "http://";
    const size_t n = strlen(scheme);

    return !origin || (host && !strncmp(origin, scheme, n) && !strcasecmp(origin + n, host));
}

static const char *head(const struct web_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

bool web_guard_key(struct web_request *r)
{
    const struct web_server *const s = r->server;
    const char *const bearer = head(r, "Authorization");
    const char *const cookie =
        MHD_lookup_connection_value(r->connection, MHD_COOKIE_KIND, s->cookie_name);
    const bool changes = strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0;

    if (bearer && !strncasecmp(bearer, "Bearer ", 7) && same_key(bearer + 7, s->key))
        return true;
    if (bearer || !same_key(cookie, s->cookie)) {
        web_refuse(r, 401, "wrong_key",
                   "The key is missing or wrong; it is in the line that the "
                   "server printed when it started");
        web_header(r, "WWW-Authenticate", "Bearer");
        return false;
    }
    r->by_cookie = true;
    if (!strcmp(r->url, "/v1/session")) {
        web_refuse(r, 401, "wrong_key", "A session begins with the key");
        return false;
    }
    const char *const ours = head(r, "X-Reprise");
    if (changes && (!ours || strcmp(ours, "1") != 0)) {
        web_refuse(r, 403, "foreign_page", "A change by the page's cookie needs X-Reprise: 1");
        return false;
    }
    return true;
}

bool web_guard_host(struct web_request *r)
{
    const char *const host = head(r, "Host");
    const char *const origin = head(r, "Origin");

    if (!host_is_ours(r, host)) {
        web_refuse(r, 421, "foreign_host", "The Host of the request is not this server");
        return false;
    }
    if (!origin_is_ours(r, origin, host)) {
        web_refuse(r, 403, "foreign_origin", "The request comes from another site's page");
        return false;
    }
    return true;
}

void web_post_session(struct web_request *r)
{
    char line[160];

    snprintf(line, sizeof(line), "%s=%s; Path=/; HttpOnly; SameSite=Strict%s",
             r->server->cookie_name, r->server->cookie, r->server->tls ? "; Secure" : "");
    web_answer_nothing(r);
    web_header(r, "Set-Cookie", line);
}

/* ---- slow clients ---- */

/* libmicrohttpd ends a connection on which nothing happens; this ends those on which a request
 * comes in by drops. */
struct watched {
    struct MHD_Connection *connection;
    int fd;
    time_t since; /* the request began then, or the connection opened; 0: none is coming in */
    size_t bytes; /* of its body */
    struct watched *before, *next;
};

struct web_watch {
    pthread_mutex_t lock;
    struct watched *first;
    int n;
};

/* A body may take as long as it needs at this rate. */
enum { LEAST_RATE = 4096 };

static time_t seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

int web_watch_create(struct web_server *s)
{
    s->watch = calloc(1, sizeof(*s->watch));
    if (!s->watch)
        return RP_ERR_NOMEM;
    pthread_mutex_init(&s->watch->lock, NULL);
    return 0;
}

void web_watch_destroy(struct web_server *s)
{
    if (s->watch)
        pthread_mutex_destroy(&s->watch->lock);
    free(s->watch);
    s->watch = NULL;
}

static void watch_begin(struct web_watch *w, struct MHD_Connection *connection, void **priv)
{
    struct watched *const c = calloc(1, sizeof(*c));
    const union MHD_ConnectionInfo *const info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (!c || !info) {
        free(c);
        return;
    }
    *c = (struct watched){
        .connection = connection, .fd = info->connect_fd, .since = seconds_now(), .next = w->first};
    if (w->first)
        w->first->before = c;
    w->first = c;
    w->n++;
    *priv = c;
}

static void watch_end(struct web_watch *w, struct watched *c)
{
    if (c->before)
        c->before->next = c->next;
    else
        w->first = c->next;
    if (c->next)
        c->next->before = c->before;
    w->n--;
    free(c);
}

void web_watch_connection(void *server, struct MHD_Connection *connection, void **priv,
                          enum MHD_ConnectionNotificationCode code)
{
    struct web_watch *const w = ((struct web_server *) server)->watch;

    pthread_mutex_lock(&w->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        watch_begin(w, connection, priv);
    else if (*priv)
        watch_end(w, *priv);
    pthread_mutex_unlock(&w->lock);
}

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *const info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

void web_watch_request(struct web_server *s, struct MHD_Connection *connection, bool begins)
{
    pthread_mutex_lock(&s->watch->lock);
    struct watched *const c = watched_of(connection);
    if (c) {
        c->since = begins ? seconds_now() : 0;
        c->bytes = 0;
    }
    pthread_mutex_unlock(&s->watch->lock);
}

void web_watch_bytes(struct web_server *s, struct MHD_Connection *connection, size_t bytes)
{
    pthread_mutex_lock(&s->watch->lock);
    struct watched *const c = watched_of(connection);
    if (c)
        c->bytes += bytes;
    pthread_mutex_unlock(&s->watch->lock);
}

/* The descriptor is open as long as the connection is in the list. */
void web_watch_tick(struct web_server *s)
{
    const time_t now = seconds_now();
    int ended = 0;

    pthread_mutex_lock(&s->watch->lock);
    for (struct watched *c = s->watch->first; c; c = c->next) {
        if (!c->since || now - c->since <= WEB_PATIENCE + (time_t) (c->bytes / LEAST_RATE))
            continue;
        shutdown(c->fd, SHUT_RDWR);
        c->since = 0;
        ended++;
    }
    pthread_mutex_unlock(&s->watch->lock);
    if (ended)
        rp_log(RP_LOG_WARN, "refused: %d connection%s on which no request came in within %d s",
               ended, ended == 1 ? "" : "s", WEB_PATIENCE);
}
