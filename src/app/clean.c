/* clean: what runs that were killed have left in folders. */
#include "app/app.h"

struct cleaner {
    const struct app *app;
    int found, removed, live;
    int64_t bytes;
    int output;
};

static const char *state_of(const struct cleaner *c, const rp_leftover *l)
{
    return l->live          ? "in use"
           : l->removed     ? "removed"
           : c->app->remove ? "cannot be removed"
                            : "left";
}

static void print_json(struct cleaner *c, const rp_leftover *l)
{
    json_t *o = json_object();

    app_json_put(o, "path", app_json_text(l->path));
    app_json_put(o, "kind", json_string(l->is_folder ? "job" : "file"));
    app_json_put(o, "bytes", json_integer(l->bytes));
    app_json_put(o, "state", json_string(state_of(c, l)));
    c->output = app_json_line(o);
}

static void look(void *priv, const rp_leftover *l)
{
    struct cleaner *const c = priv;

    if (c->output < 0)
        return;
    c->live += l->live;
    c->found += !l->live;
    c->removed += l->removed;
    if (!l->live)
        c->bytes += l->bytes;
    if (c->app->json) {
        print_json(c, l);
        return;
    }
    app_print("%9.1f MB  %-17s  %s", (double) l->bytes / 1e6, state_of(c, l), l->path);
    putchar('\n');
    c->output = app_flush();
}

static void say_end(const struct cleaner *c)
{
    if (!c->found)
        app_log(RP_LOG_INFO, "nothing was left by runs that were killed");
    else if (c->app->remove)
        app_log(RP_LOG_INFO, "%d of %d removed", c->removed, c->found);
    else
        app_log(RP_LOG_INFO, "%d left, %.1f MB; nothing is removed without --remove", c->found,
                (double) c->bytes / 1e6);
}

int app_clean_up(struct app *app)
{
    struct cleaner c = {.app = app};
    int ret = RP_OK;

    if (!app->n_args)
        ret = rp_clean(".", app->remove, look, &c);
    for (int i = 0; i < app->n_args && c.output >= 0; i++) {
        const int one = rp_clean(app->args[i], app->remove, look, &c);
        ret = ret < 0 ? ret : one;
    }
    if (c.output < 0)
        return app_reader_gone() ? ret : c.output;
    say_end(&c);
    return ret < 0 || !app->remove || c.removed == c.found ? ret : RP_ERR_IO;
}
