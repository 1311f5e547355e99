/* force-download: fetch models before a job needs them, and replace files that are wrong. */
#include <string.h>

#include "app/app.h"

struct fetcher {
    const struct app *app;
    struct app_words words;
    rp_runtime *runtime;
    bool full;
    int there, fetched, failed;
    int first; /* failure */
    int output;
};

static bool wanted(const struct fetcher *f, const rp_model_info *m)
{
    if (!m->fetch || !app_words_want(&f->words, m))
        return false; /* a user's own model comes from nowhere */
    return f->app->n_args > 0 || (!m->lite && (f->full || !m->full_scope));
}

static void print_json(struct fetcher *f, const rp_model_info *m, int ret)
{
    json_t *o = json_object();

    app_json_put(o, "kind", app_json_text(m->kind));
    app_json_put(o, "name", app_json_text(m->name));
    app_json_put(o, "file", app_json_text(m->file));
    app_json_put(o, "status", app_json_text(ret < 0 ? "failed" : ret ? "fetched" : "there"));
    if (ret < 0)
        app_json_put(o, "error", app_json_text(rp_last_error()));
    f->output = app_json_line(o);
}

/* Goes on after a failure, but not if no host answers: each file would give the same message. */
static void fetch(void *priv, const rp_model_info *m)
{
    struct fetcher *f = priv;
    int ret;

    if (f->first == RP_ERR_MISSING || f->first == RP_ERR_CLOSED || f->output < 0 || !wanted(f, m))
        return;
    ret = rp_model_fetch(f->runtime, m->kind, m->name);
    f->there += ret == 0;
    f->fetched += ret > 0;
    f->failed += ret < 0;
    if (ret < 0 && f->first >= 0)
        f->first = ret;
    if (f->app->json)
        print_json(f, m, ret);
}

static int fetch_all(struct fetcher *f)
{
    int ret;

    if ((ret = app_words_open(&f->words, f->app, f->runtime)) < 0 ||
        (ret = rp_models_each(f->runtime, fetch, f)) < 0)
        return ret;
    app_log(RP_LOG_INFO, "%d fetched, %d already there, %d failed", f->fetched, f->there,
            f->failed);
    if (f->output < 0)
        return f->output;
    /* The exit code is not 2, which means wrong usage. */
    return f->first == RP_ERR_MISSING  ? RP_ERR_IO
           : f->first == RP_ERR_CLOSED ? RP_ERR_AGAIN
                                       : f->first;
}

int app_force_download(struct app *app)
{
    struct fetcher f = {.app = app};
    char *scope;
    int ret = rp_options_get_text(app->options, "download-scope", &scope);

    f.full = scope && !strcmp(scope, "full");
    rp_free(scope);
    if (ret >= 0)
        ret = app_runtime(app, &f.runtime);
    if (ret >= 0)
        ret = fetch_all(&f);
    rp_runtime_destroy(&f.runtime);
    return ret == RP_ERR_IO && app_reader_gone() ? RP_OK : ret;
}
