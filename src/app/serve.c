/* serve and run: the page and the interface for programs, which src/web does. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "web/web.h"

/* A whole number from 0 on; RP_ERR_USAGE with a sentence. */
static int read_number(const char *name, const char *text, long most, long otherwise, long *out)
{
    char *end = NULL;

    *out = otherwise;
    if (!text)
        return RP_OK;
    *out = strtol(text, &end, 10);
    if (end != text && !*end && *out >= 0 && *out <= most)
        return RP_OK;
    app_log(RP_LOG_ERROR, "--%s: '%s' is not a whole number from 0 to %ld", name, text, most);
    return RP_ERR_USAGE;
}

/* Names are for people and paths of requests; addresses are what the library takes for a stream. */
static int check_cameras(const struct app_web *web)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

    for (int i = 0; i < web->n_cameras; i++) {
        const char *const word = web->cameras[i];
        const size_t n = strspn(word, letters);

        if (n > 0 && n <= 32 && word[n] == '=' &&
            (!strncmp(word + n + 1, "rtsp://", 7) || !strncmp(word + n + 1, "rtsps://", 8)))
            continue;
        app_log(RP_LOG_ERROR,
                "--web-live: '%.32s' is not a name of letters, digits, _ and -, at most 32, and =rtsp://...",
                word);
        return RP_ERR_USAGE;
    }
    return RP_OK;
}

static const struct app_command *find_job(const struct app *app)
{
    for (int i = 0; i < app->n_commands; i++)
        if (!strcmp(app->commands[i].name, "headless-run"))
            return &app->commands[i];
    return NULL;
}

static int serve(struct app *app, const struct app *job, const char *const *names)
{
    const struct app_web *const web = &app->web;
    long port, quota;
    struct web_params params = {
        .host = web->host,
        .socket = web->socket,
        .certificate = web->certificate,
        .certificate_key = web->certificate_key,
        .folder = web->path,
        .cameras = web->cameras,
        .n_cameras = web->n_cameras,
        .insecure = web->insecure,
        .open = !strcmp(app->command->name, "run"),
        .options = app->options,
        .table = job->table,
        .n_table = job->n_table,
        .commands = names,
        .interrupted = app_interrupted,
    };

    if (check_cameras(web) < 0 || read_number("web-port", web->port, 65535, 7870, &port) < 0 ||
        read_number("web-quota", web->quota, LONG_MAX >> 21, 20480, &quota) < 0)
        return RP_ERR_USAGE;
    params.port = (int) port;
    params.quota = (int64_t) quota << 20;
    app_signals_defer(true);
    const int ret = web_serve(&params);
    app_signals_defer(false);
    return ret;
}

int app_serve(struct app *app)
{
    struct app job;
    const char **const names = calloc((size_t) app->n_commands + 1, sizeof(*names));
    int ret = names ? app_open(&job, find_job(app)) : RP_ERR_NOMEM;

    for (int i = 0; names && i < app->n_commands; i++)
        names[i] = app->commands[i].name;
    if (ret >= 0)
        ret = serve(app, &job, names);
    if (names)
        app_close(&job);
    free(names);
    return ret;
}
