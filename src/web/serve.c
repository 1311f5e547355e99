/* The server's life: folder, threads, socket, daemon; and the end of all of them in turn. */
#include "web/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- listening ---- */

static int fail_listen(const char *what)
{
    rp_log(RP_LOG_ERROR, "%s: %s", what, strerror(errno));
    return -1;
}

/* A socket that a dead server has left is replaced, anything else at this path is not. */
static int listen_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat st;

    if (strlen(path) >= sizeof(at.sun_path)) {
        errno = ENAMETOOLONG;
        return fail_listen(path);
    }
    memcpy(at.sun_path, path, strlen(path) + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_listen(path);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        connect(fd, (const struct sockaddr *) &at, sizeof(at)) != 0 && errno == ECONNREFUSED)
        (void) unlink(path);
    const mode_t mask = umask(0177);
    const int bound = bind(fd, (const struct sockaddr *) &at, sizeof(at));
    (void) umask(mask);
    if (bound != 0 || listen(fd, 128) != 0) {
        fail_listen(path);
        close(fd);
        return -1;
    }
    return fd;
}

static bool is_loopback(const struct sockaddr *at)
{
    if (at->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *) (const void *) at)->sin_addr.s_addr) >> 24 ==
               127;
    return at->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) (const void *) at)->sin6_addr);
}

static int port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    socklen_t size = sizeof(at);

    memset(&at, 0, sizeof(at));
    if (getsockname(fd, &at.any, &size) != 0)
        return 0;
    return ntohs(at.any.sa_family == AF_INET6 ? at.v6.sin6_port : at.v4.sin_port);
}

static int bind_to(struct web_server *s, const struct addrinfo *info, const char *host)
{
    const int one = 1;
    const struct web_params *const p = s->params;

    if (!is_loopback(info->ai_addr) && !s->tls && !p->insecure) {
        rp_log(RP_LOG_ERROR,
               "--web-host: %s is not this machine alone: others could read the key "
               "on its way; give --web-certificate and --web-certificate-key, or --web-insecure",
               host);
        return -2;
    }
    const int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fail_listen(host);
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, 512) != 0) {
        rp_log(RP_LOG_ERROR, "%s, port %d: %s", host, p->port, strerror(errno));
        close(fd);
        return -1;
    }
    s->port = port_of(fd);
    return fd;
}

/* -1: failed; -2: not allowed. */
static int listen_tcp(struct web_server *s)
{
    const char *const host = s->params->host ? s->params->host : "127.0.0.1";
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char port[16];

    snprintf(port, sizeof(port), "%d", s->params->port);
    const int error = getaddrinfo(host, port, &hints, &list);
    if (error) {
        rp_log(RP_LOG_ERROR, "--web-host: %s: %s", host, gai_strerror(error));
        return -2;
    }
    const int fd = bind_to(s, list, host);
    freeaddrinfo(list);
    return fd;
}

/* ---- the daemon ---- */

/* A PEM file, which libmicrohttpd takes as text. */
static char *read_text(const char *path)
{
    enum { MOST = 1 << 20 };
    char *const text = malloc(MOST);
    FILE *const f = fopen(path, "re");
    const size_t n = f && text ? fread(text, 1, MOST - 1, f) : 0;

    if (f)
        fclose(f);
    if (!n) {
        rp_log(RP_LOG_ERROR, "%s: %s", path, f ? "empty" : strerror(errno));
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

static void on_log(void *priv, const char *format, va_list args)
{
    char line[512];

    (void) priv;
    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    rp_log(RP_LOG_DEBUG, "web: %s", line);
}

static int start_daemon(struct web_server *s, int fd)
{
    char *certificate = NULL, *key = NULL;
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    int ret = 0;
    struct MHD_OptionItem more[3] = {{MHD_OPTION_END, 0, NULL}};

    if (s->tls) {
        certificate = read_text(s->params->certificate);
        key = read_text(s->params->certificate_key);
        flags |= MHD_USE_TLS;
        more[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, certificate};
        more[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, key};
        more[2] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
        ret = certificate && key ? 0 : RP_ERR_USAGE;
    }
    if (ret >= 0)
        s->daemon = MHD_start_daemon(
            flags, 0, NULL, NULL, web_on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
            MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_NOTIFY_COMPLETED, web_on_end, s,
            MHD_OPTION_NOTIFY_CONNECTION, web_watch_connection, s, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned) WEB_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) WEB_PATIENCE,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) 32768, MHD_OPTION_ARRAY, more,
            MHD_OPTION_END);
    free(certificate);
    free(key);
    if (ret >= 0 && !s->daemon) {
        rp_log(RP_LOG_ERROR, "the web server does not start%s",
               s->tls ? "; are the certificate and its key right?" : "");
        ret = RP_ERR_IO;
    }
    return ret;
}

/* ---- life ---- */

static int open_runtime(struct web_server *s)
{
    char *models = NULL;
    int ret = rp_options_get_text(s->params->options, "models-path", &models);
    const rp_runtime_params params = {.models_path = models,
                                      .download = s->params->options,
                                      .on_download = web_on_download,
                                      .download_priv = s};

    if (ret >= 0)
        ret = rp_runtime_create(&s->runtime, &params);
    rp_free(models);
    return ret;
}

static int open_all(struct web_server *s)
{
    int ret;

    if ((ret = web_guard_keys(s)) < 0 || (ret = web_folder_open(s)) < 0 ||
        (ret = web_events_create(s)) < 0 || (ret = open_runtime(s)) < 0 ||
        (ret = web_watch_create(s)) < 0 || (ret = web_store_create(s)) < 0 ||
        (ret = web_desk_create(s)) < 0 || (ret = web_fetcher_create(s)) < 0 ||
        (ret = web_preview_create(s)) < 0 || (ret = web_live_create(s)) < 0 ||
        (ret = web_queue_create(s)) < 0)
        return ret;
    const int fd = s->params->socket ? listen_unix(s->params->socket) : listen_tcp(s);
    if (fd < 0)
        return fd == -2 ? RP_ERR_USAGE : RP_ERR_IO;
    ret = web_guard_cookie(s);
    if (ret >= 0)
        ret = start_daemon(s, fd); /* closes it at the end */
    if (ret < 0)
        close(fd);
    return ret;
}

/* No new connection is taken; then whoever wakes sleeping ones ends; then the daemon. */
static void close_all(struct web_server *s)
{
    atomic_store(&s->stopping, true);
    if (s->daemon) {
        const int fd = MHD_quiesce_daemon(s->daemon);

        if (fd >= 0)
            close(fd);
        web_events_stop(s);
    }
    web_desk_stop(s);
    web_preview_stop(s);
    web_live_stop(s);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    web_desk_destroy(s);
    web_preview_destroy(s);
    web_live_destroy(s);
    web_queue_destroy(s);
    web_fetcher_destroy(s);
    web_store_destroy(s);
    web_events_destroy(s);
    web_watch_destroy(s);
    rp_runtime_destroy(&s->runtime);
    web_folder_close(s);
    if (s->params->socket)
        (void) unlink(s->params->socket);
}

static void show_in_browser(char *address)
{
    char program[] = "xdg-open";
    char *words[] = {program, address, NULL};
    pid_t child;

    if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY"))
        return;
    if (posix_spawnp(&child, program, NULL, NULL, words, environ) != 0)
        rp_log(RP_LOG_INFO, "open the address above in a browser");
}

static int say_address(const struct web_server *s)
{
    char address[512];
    const char *const host = s->params->host ? s->params->host : "127.0.0.1";

    if (s->params->socket)
        snprintf(address, sizeof(address), "unix:%s#key=%s", s->params->socket, s->key);
    else
        snprintf(address, sizeof(address),
                 strchr(host, ':') ? "%s://[%s]:%d/#key=%s" : "%s://%s:%d/#key=%s",
                 s->tls ? "https" : "http", host, s->port, s->key);
    if (printf("%s\n", address) < 0 || fflush(stdout) != 0)
        return RP_ERR_IO;
    if (s->params->open && !s->params->socket)
        show_in_browser(address);
    return 0;
}

static void watch_clock(struct web_server *s)
{
    const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};

    for (int n = 1; !s->params->interrupted(); n++) {
        (void) nanosleep(&pause, NULL);
        web_events_tick(s);
        if (n % 5 == 0) {
            web_watch_tick(s);
            web_live_tick(s);
        }
        if (n % 150 == 1) {
            web_store_tick(s);
            web_queue_tick(s);
            web_look_tick(s);
        }
    }
}

int web_serve(const struct web_params *params)
{
    struct web_server *const s = calloc(1, sizeof(*s));
    int ret;

    if (!s)
        return RP_ERR_NOMEM;
    s->params = params;
    s->lock = -1;
    s->tls = params->certificate != NULL;
    s->began = time(NULL);
    s->routes = web_routes;
    s->n_routes = web_n_routes;
    if (!params->certificate != !params->certificate_key) {
        rp_log(RP_LOG_ERROR, "--web-certificate and --web-certificate-key belong together");
        free(s);
        return RP_ERR_USAGE;
    }
    ret = open_all(s);
    if (ret >= 0)
        ret = say_address(s);
    if (ret >= 0)
        watch_clock(s);
    close_all(s);
    free(s);
    return ret;
}
