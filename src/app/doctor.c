/* doctor: what the machine has, what is missing and how to get it. */
#include "app/app.h"

static void print_json(const rp_finding *f)
{
    json_t *o = json_object();

    app_json_put(o, "name", app_json_text(f->name));
    app_json_put(o, "ok", json_boolean(f->ok));
    app_json_put(o, "needed", json_boolean(f->needed));
    app_json_put(o, "detail", app_json_text(f->detail));
    app_json_put(o, "advice", app_json_text(f->advice));
    app_json_line(o);
}

static void print_text(const rp_finding *f)
{
    const char *state = f->ok ? "ok" : f->needed ? "missing" : "optional";

    app_print("%-9s %-22s %s", state, f->name, f->detail ? f->detail : "");
    putchar('\n');
    if (f->advice && *f->advice) {
        app_print("%-9s %-22s %s", "", "", f->advice);
        putchar('\n');
    }
}

static void on_finding(void *priv, const rp_finding *finding)
{
    const struct app *app = priv;

    if (app->json)
        print_json(finding);
    else
        print_text(finding);
}

int app_doctor(struct app *app)
{
    rp_runtime *runtime = NULL;
    int ret = app_runtime(app, &runtime);

    if (ret >= 0)
        ret = rp_doctor(runtime, on_finding, app);
    rp_runtime_destroy(&runtime);
    return ret;
}
