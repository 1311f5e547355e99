/* Requests to the server: what a client sends, through the whole of libmicrohttpd, in one thread.
 *
 * The first byte chooses: anything as a request; a form to /v1/media; JSON to /v1/jobs or
 * /v1/preview. The desk is closed: what would be worked on is refused after it was checked. */
#include "fuzz.h"
#include "web/server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct web_server *server;
static rp_options *options;
static rp_option_info *table;
static int n_table;
static char path[400];
static bool opened; /* a connection is there */

static void add_option(void *priv, const rp_option_info *info)
{
    (void) priv;
    rp_option_info *const grown = realloc(table, (size_t) (n_table + 1) * sizeof(*table));

    fuzz_must(grown != NULL);
    table = grown;
    table[n_table++] = *info;
}

static void remove_file(struct web_server *s, const char *name)
{
    char file[WEB_PATH];
    static const char *const folders[] = {"part", "media", "jobs", "results", "faces", "."};

    for (size_t i = 0; i < RP_ARRAY_LEN(folders); i++) {
        web_path(s, file, "%s/%s", folders[i], name);
        (void) remove(file);
    }
}

static void close_server(void)
{
    static const char *const folders[] = {"part", "media", "jobs", "results", "faces"};

    MHD_stop_daemon(server->daemon);
    for (size_t i = 0; i < RP_ARRAY_LEN(folders); i++) {
        web_each_file(server, folders[i], remove_file);
        remove_file(server, folders[i]);
    }
    remove_file(server, "lock");
    web_folder_close(server);
    rmdir(path);
}

static void on_connection(void *priv, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    web_watch_connection(priv, connection, slot, code);
    opened = code == MHD_CONNECTION_NOTIFY_STARTED;
}

static void open_server(void)
{
    static struct web_params params;
    static const char *const commands[] = {"serve", NULL};

    snprintf(path, sizeof(path), "%s", fuzz_path("web"));
    fuzz_must(rp_options_create(&options) >= 0);
    rp_options_each(options, add_option, NULL);
    params = (struct web_params){.folder = path,
                                 .quota = 1 << 20,
                                 .options = options,
                                 .table = table,
                                 .n_table = n_table,
                                 .commands = commands};
    fuzz_must((server = calloc(1, sizeof(*server))) != NULL);
    server->params = &params;
    server->port = 7870;
    server->routes = web_routes;
    server->n_routes = web_n_routes;
    fuzz_must(web_guard_keys(server) >= 0 && web_guard_cookie(server) >= 0 &&
              web_folder_open(server) >= 0);
    strcpy(server->key, "k"); /* known to the corpus */
    fuzz_must(rp_runtime_create(&server->runtime, NULL) >= 0);
    fuzz_must(web_events_create(server) >= 0 && web_watch_create(server) >= 0 &&
              web_store_create(server) >= 0 && web_desk_create(server) >= 0 &&
              web_preview_create(server) >= 0 && web_fetcher_create(server) >= 0 &&
              web_queue_create(server) >= 0);
    web_desk_stop(server);
    web_preview_stop(server);
    web_events_stop(server);
    server->daemon = MHD_start_daemon(
        MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, web_on_request, server,
        MHD_OPTION_NOTIFY_COMPLETED, web_on_end, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) 32768, MHD_OPTION_END);
    fuzz_must(server->daemon != NULL);
    atexit(close_server);
}

static char *with_head(uint8_t kind, const uint8_t *data, size_t size, size_t *length)
{
    static const char *const heads[] = {
        "POST /v1/media HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=xy\r\n",
        "POST /v1/jobs HTTP/1.1\r\n",
        "POST /v1/preview HTTP/1.1\r\n",
    };
    char *const text = malloc(size + 512);

    fuzz_must(text != NULL);
    *length = 0;
    if (kind % 4)
        *length = (size_t) snprintf(text, 512,
                                    "%sHost: localhost:7870\r\nAuthorization: Bearer k\r\n"
                                    "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                                    heads[kind % 4 - 1], size);
    memcpy(text + *length, data, size);
    *length += size;
    return text;
}

static void must_be_empty(struct web_server *s, const char *name)
{
    (void) s, (void) name;
    abort(); /* an upload that did not come to its end has left a file */
}

void fuzz_web(const uint8_t *data, size_t size)
{
    int pair[2];
    char answer[65536];
    size_t length, sent = 0;
    const struct sockaddr_in from = {.sin_family = AF_INET};

    if (!server) {
        rp_set_log(RP_LOG_QUIET, NULL, NULL);
        open_server();
    }
    if (!size || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
        return;
    char *const text = with_head(data[0], data + 1, size - 1, &length);
    fuzz_must(MHD_add_connection(server->daemon, pair[1], (const struct sockaddr *) &from,
                                 sizeof(from)) == MHD_YES);
    opened = true;
    for (int i = 0; opened && i < 64; i++) {
        if (sent < length) {
            const ssize_t n = write(pair[0], text + sent, length - sent);
            sent += n > 0 ? (size_t) n : 0;
        } else if (i > 2) {
            shutdown(pair[0], SHUT_WR);
        }
        MHD_run(server->daemon);
        const ssize_t n = read(pair[0], answer, sizeof(answer));
        fuzz_must(n < 12 || i > 40 || answer[0] != 'H' || !memcmp(answer, "HTTP/1.", 7));
    }
    close(pair[0]);
    for (int i = 0; opened && i < 8; i++)
        MHD_run(server->daemon);
    free(text);
    fuzz_must(!opened);
    web_each_file(server, "part", must_be_empty);
}
