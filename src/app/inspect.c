/* inspect: the synthetic-media mark that reprise puts into its outputs. */
#include "app/app.h"

static void put_if_any(json_t *o, const char *key, const char *text)
{
    if (*text)
        app_json_put(o, key, app_json_text(text));
}

static int print_json(const char *path, const rp_mark *m)
{
    json_t *o = json_object();

    app_json_put(o, "file", app_json_text(path));
    app_json_put(o, "present", json_boolean(m->present));
    put_if_any(o, "source_type", m->source_type);
    put_if_any(o, "software", m->software);
    put_if_any(o, "processors", m->processors);
    put_if_any(o, "models", m->models);
    put_if_any(o, "damage", m->damage);
    return app_json_line(o);
}

static void print_field(const char *name, const char *text)
{
    if (!*text)
        return;
    app_print("  %-12s %s", name, text);
    putchar('\n');
}

static int print_text(const char *path, const rp_mark *m)
{
    app_put(stdout, path);
    puts(m->present ? ": synthetic media" : ": no synthetic-media mark");
    if (m->present) {
        print_field("source type", m->source_type);
        print_field("software", m->software);
        print_field("processors", m->processors);
        print_field("models", m->models);
        print_field("damage", m->damage);
    }
    return app_flush();
}

int app_inspect(struct app *app)
{
    int first = RP_OK;

    for (int i = 0; i < app->n_args; i++) {
        rp_mark mark = {0};
        int ret = rp_inspect(app->args[i], &mark);

        if (ret < 0) {
            first = first < 0 ? first : ret;
            continue;
        }
        ret = app->json ? print_json(app->args[i], &mark) : print_text(app->args[i], &mark);
        if (ret < 0)
            return app_reader_gone() ? first : ret;
    }
    return first;
}
