/* doctor: what the machine has, what is missing and how to get it. */
#include <limits.h>
#include <unistd.h>

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

/* Words below each other, on a terminal; as one line for other readers. */
static void print_words(const char *text, int column, int indent)
{
    char clean[APP_CLEAN];
    const int width = isatty(STDOUT_FILENO) ? app_width(STDOUT_FILENO) : INT_MAX;

    app_clean(text, clean);
    app_wrap(clean, column, indent, width);
}

static void print_text(const rp_finding *f)
{
    const char *state = f->ok ? "ok" : f->needed ? "missing" : "optional";
    const bool narrow = isatty(STDOUT_FILENO) && app_width(STDOUT_FILENO) < 72;
    const int indent = narrow ? 4 : 33;

    app_print(narrow ? "%-9s %s" : "%-9s %-22s ", state, f->name);
    if (narrow)
        printf("\n%*s", indent, "");
    print_words(f->detail ? f->detail : "", indent, indent);
    if (f->advice && *f->advice) {
        printf("%*s", indent, "");
        print_words(f->advice, indent, indent);
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
