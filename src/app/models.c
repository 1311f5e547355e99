/* models: the catalogue, as a table or one JSON object an entry; with --verify, whether the files
 * are right. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

enum { MOST_NEEDED = 64 };

struct needed {
    char kind[64], name[128];
    bool stands_in;
};

struct lister {
    const struct app *app;
    struct app_words words;
    rp_runtime *runtime;
    int kind, name, licence; /* widths of the columns */
    struct needed needed[MOST_NEEDED]; /* by a job with the options that were given */
    int n_needed;
    bool brief; /* only what is installed or needed */
    int shown, installed;
    int missing; /* of what is needed */
    int64_t missing_bytes;
    int right, wrong, unknown; /* with --verify */
    int stopped; /* a failure that another try may cure: the rest is not read */
    int failed;
};

/* The word for an installed file after reading it; what is wrong goes to the log. */
static const char *verify(struct lister *l, const rp_model_info *m)
{
    const int status = rp_model_verify(l->runtime, m->kind, m->name);

    if (rp_exit_code(status) == 75) {
        l->stopped = status;
        return "unread";
    }
    switch (status) {
    case RP_OK: l->right++; return "right";
    case RP_ERR_UNSUPPORTED: l->unknown++; return "unknown";
    default: l->wrong++; return "wrong";
    }
}

/* The word for an installed file after a look at its operators; why: what is missing, or else what
 * was measured of it on a GPU. */
static const char *native(const struct lister *l, const rp_model_info *m, char *why, size_t size)
{
    const int ret = rp_model_native(l->runtime, m->kind, m->name, why, size);

    if (ret < 0)
        snprintf(why, size, "cannot be read");
    if (ret > 0 && rp_model_measured(l->runtime, l->app->options, m->kind, m->name, why, size) < 0)
        why[0] = 0;
    return ret > 0 ? "native" : "no";
}

/* A part of its kind or name, or the word for the set that is installed with the program. */
static bool contains(const rp_model_info *m, const char *word)
{
    return strstr(m->kind, word) || strstr(m->name, word) || (m->lite && !strcmp(word, "lite"));
}

static void find_name(void *priv, const rp_model_info *m)
{
    struct app_words *w = priv;

    for (int i = 0; i < w->app->n_args && i < 64; i++) {
        const char *const word = w->app->args[i];

        w->names |= (uint64_t) !strcmp(m->name, word) << i;
        w->kinds |= (uint64_t) !strcmp(m->kind, word) << i;
        w->found |= (uint64_t) contains(m, word) << i;
    }
}

struct near {
    const char *word;
    char name[128];
    int least;
};

static void find_near(void *priv, const rp_model_info *m)
{
    struct near *const n = priv;

    if (app_is_near(n->word, m->name, &n->least))
        snprintf(n->name, sizeof(n->name), "%s", m->name);
    if (app_is_near(n->word, m->kind, &n->least))
        snprintf(n->name, sizeof(n->name), "%s", m->kind);
}

int app_words_open(struct app_words *words, const struct app *app, rp_runtime *runtime)
{
    int ret;

    *words = (struct app_words){.app = app};
    if ((ret = rp_models_each(runtime, find_name, words)) < 0)
        return ret;
    for (int i = 0; i < app->n_args && i < 64; i++) {
        struct near near = {.word = app->args[i], .least = 4};

        if (words->found >> i & 1)
            continue;
        if ((ret = rp_models_each(runtime, find_near, &near)) < 0)
            return ret;
        app_log(RP_LOG_ERROR, "%s: no kind or name contains '%s'%s%s%s", app->command->name,
                app->args[i], *near.name ? "; did you mean " : "", near.name,
                *near.name ? "?" : "");
        return RP_ERR_USAGE;
    }
    return RP_OK;
}

bool app_words_want(const struct app_words *words, const rp_model_info *m)
{
    const struct app *app = words->app;

    for (int i = 0; i < app->n_args; i++) {
        const bool exact = i < 64 && (words->names & ~words->kinds) >> i & 1;

        if (exact ? !strcmp(m->name, app->args[i]) : contains(m, app->args[i]))
            return true;
    }
    return app->n_args == 0;
}

/* ---- what the job needs ---- */

static void add_needed(void *priv, const rp_model_info *m, bool stands_in)
{
    struct lister *const l = priv;

    if (l->n_needed == MOST_NEEDED)
        return;
    struct needed *const n = &l->needed[l->n_needed++];

    snprintf(n->kind, sizeof(n->kind), "%s", m->kind);
    snprintf(n->name, sizeof(n->name), "%s", m->name);
    n->stands_in = stands_in;
}

static const struct needed *need_of(const struct lister *l, const rp_model_info *m)
{
    for (int i = 0; i < l->n_needed; i++)
        if (!strcmp(l->needed[i].kind, m->kind) && !strcmp(l->needed[i].name, m->name))
            return &l->needed[i];
    return NULL;
}

static bool want(const struct lister *l, const rp_model_info *m)
{
    return l->brief ? m->installed || need_of(l, m) : app_words_want(&l->words, m);
}

/* ---- the table ---- */

static void print_json(struct lister *l, const rp_model_info *m)
{
    json_t *o = json_object();
    const struct needed *const need = need_of(l, m);

    app_json_put(o, "kind", app_json_text(m->kind));
    app_json_put(o, "name", app_json_text(m->name));
    app_json_put(o, "file", app_json_text(m->file));
    app_json_put(o, "vendor", app_json_text(m->vendor));
    app_json_put(o, "licence", app_json_text(m->licence));
    app_json_put(o, "year", json_integer(m->year));
    app_json_put(o, "lite", json_boolean(m->lite));
    app_json_put(o, "default", json_boolean(m->is_default));
    app_json_put(o, "installed", json_boolean(m->installed));
    app_json_put(o, "needed", json_boolean(need && !need->stands_in));
    app_json_put(o, "stands_in", json_boolean(need && need->stands_in));
    app_json_put(o, "size", json_integer(m->size));
    app_json_put(o, "sha256", app_json_text(m->sha256));
    app_json_put(o, "path", app_json_text(m->path));
    app_json_put(o, "fetch", app_json_text(m->fetch));
    if (l->app->verify)
        app_json_put(o, "content", app_json_text(m->installed ? verify(l, m) : NULL));
    if (l->app->networks && m->installed) {
        char why[400];
        const bool is_native = !strcmp(native(l, m, why, sizeof(why)), "native");

        app_json_put(o, "native", json_boolean(is_native));
        app_json_put(o, "why", app_json_text(*why && !is_native ? why : NULL));
        app_json_put(o, "precision", app_json_text(*why && is_native ? why : NULL));
    }
    l->failed = app_json_line(o);
}

static const char *or_dash(const char *text)
{
    return text && *text ? text : "-";
}

static void widen(int *width, const char *text)
{
    int n = (int) strlen(or_dash(text));

    if (n > *width)
        *width = n;
}

static void format_size(char *out, size_t size, int64_t bytes)
{
    if (bytes <= 0)
        snprintf(out, size, "-");
    else if (bytes < 1000000)
        snprintf(out, size, "%.0f kB", (double) bytes / 1e3);
    else
        snprintf(out, size, "%.1f MB", (double) bytes / 1e6);
}

static const char *job_word(const struct needed *need)
{
    return !need ? "-" : need->stands_in ? "stands in" : "needed";
}

/* Columns are left out where the terminal has no room for them: licence, then kind and size. */
static void print_cells(const struct lister *l, const char *kind, const char *name,
                        const char *installed, const char *job, const char *size,
                        const char *licence)
{
    const int most = l->kind + l->name + 2 + 34 + l->licence;
    const int width = isatty(STDOUT_FILENO) ? app_width(STDOUT_FILENO) : INT_MAX;
    const int room = width - 20 < l->name ? width - 20 : l->name;

    if (width < most - l->licence - 2)
        app_print("%-*.*s %-9s %s", room, room, name, installed, job);
    else if (width < most)
        app_print("%-*s  %-*s  %-9s  %-9s  %9s", l->kind, kind, l->name, name, installed, job,
                  size);
    else
        app_print("%-*s  %-*s  %-9s  %-9s  %9s  %s", l->kind, kind, l->name, name, installed, job,
                  size, licence);
    putchar('\n');
}

static void print_brief(const struct lister *l, const rp_model_info *m)
{
    char size[32];

    format_size(size, sizeof(size), m->size);
    print_cells(l, m->kind, m->name, m->installed ? "yes" : "no", job_word(need_of(l, m)), size,
                or_dash(m->licence));
}

static void print_network(const struct lister *l, const rp_model_info *m)
{
    char why[400];

    if (!m->installed)
        return;
    const char *const word = native(l, m, why, sizeof(why));

    app_print("%-*s  %-*s  %-6s  %s", l->kind, m->kind, l->name, m->name, word, or_dash(why));
    putchar('\n');
    fflush(stdout);
}

static void print_row(struct lister *l, const rp_model_info *m)
{
    char size[32];

    if (l->brief) {
        print_brief(l, m);
        return;
    }

    if (l->app->networks) {
        print_network(l, m);
        return;
    }
    if (l->app->verify) {
        if (m->installed && !l->stopped) {
            app_print("%-*s  %-*s  %-7s  %s", l->kind, m->kind, l->name, m->name, verify(l, m),
                      or_dash(m->file));
            putchar('\n');
            fflush(stdout); /* large files take time */
        }
        return;
    }
    format_size(size, sizeof(size), m->size);
    app_print("%-*s  %-*s  %-9s  %9s  %-*s  %s", l->kind, m->kind, l->name, m->name,
              m->installed ? "yes" : "no", size, l->licence, or_dash(m->licence), or_dash(m->file));
    putchar('\n');
}

static void measure(void *priv, const rp_model_info *m)
{
    struct lister *l = priv;

    const struct needed *const need = need_of(l, m);

    if (!want(l, m))
        return;
    if (need && !need->stands_in && !m->installed) {
        l->missing++;
        l->missing_bytes += m->size;
    }
    widen(&l->kind, m->kind);
    widen(&l->name, m->name);
    widen(&l->licence, m->licence);
    l->shown++;
    l->installed += m->installed;
}

static void print_model(void *priv, const rp_model_info *m)
{
    struct lister *l = priv;

    if (!want(l, m) || l->failed < 0)
        return;
    if (l->app->json)
        print_json(l, m);
    else
        print_row(l, m);
}

static void print_fetch(void *priv, const rp_model_info *m)
{
    const struct lister *l = priv;

    if (app_words_want(&l->words, m) && !m->installed && m->fetch)
        app_log(RP_LOG_INFO, "to install %s: %s", m->name, m->fetch);
}

static int end_verify(const struct lister *l)
{
    app_log(RP_LOG_INFO, "%d of %d installed: %d right, %d wrong, %d unknown",
            l->installed, l->shown, l->right, l->wrong, l->unknown);
    return l->stopped ? l->stopped : l->wrong ? RP_ERR_MODEL : RP_OK;
}

static void print_head(const struct lister *l)
{
    if (l->app->json)
        return;
    if (l->app->networks)
        printf("%-*s  %-*s  native  why not, or precision\n", l->kind, "kind", l->name, "name");
    else if (l->app->verify)
        printf("%-*s  %-*s  content  file\n", l->kind, "kind", l->name, "name");
    else if (l->brief)
        print_cells(l, "kind", "name", "installed", "this job", "size", "licence");
    else
        printf("%-*s  %-*s  installed  %9s  %-*s  file\n", l->kind, "kind", l->name, "name", "size",
               l->licence, "licence");
}

static void end_brief(const struct lister *l)
{
    char size[32];

    format_size(size, sizeof(size), l->missing_bytes);
    if (l->missing)
        app_log(RP_LOG_INFO,
                "%d installed; this job needs %d more (%s): it fetches them, or uses what stands "
                "in",
                l->installed, l->missing, size);
    else
        app_log(RP_LOG_INFO, "%d installed; this job needs no other", l->installed);
    app_log(RP_LOG_INFO, "all models: reprise models all");
}

static int list(struct lister *l, rp_runtime *runtime)
{
    int ret;

    if ((ret = app_words_open(&l->words, l->app, runtime)) < 0 ||
        (ret = rp_models_needed(runtime, l->app->options, add_needed, l)) < 0 ||
        (ret = rp_models_each(runtime, measure, l)) < 0)
        return ret;
    print_head(l);
    if ((ret = rp_models_each(runtime, print_model, l)) < 0 || (ret = app_flush()) < 0)
        return ret;
    if (l->app->networks)
        return RP_OK;
    if (l->app->verify)
        return end_verify(l);
    if (l->app->json)
        return RP_OK;
    if (l->brief)
        end_brief(l);
    else
        app_log(RP_LOG_INFO, "%d of %d installed", l->installed, l->shown);
    if (l->app->n_args > 0)
        rp_models_each(runtime, print_fetch, l);
    return RP_OK;
}

int app_models(struct app *app)
{
    struct lister l = {.app = app, .kind = 4, .name = 4, .licence = 7};
    rp_runtime *runtime = NULL;
    const bool all = app->n_args == 1 && !strcmp(app->args[0], "all");
    int ret = app_runtime(app, &runtime);

    if (all)
        app->n_args = 0;
    l.brief = !all && !app->n_args && !app->json && !app->verify && !app->networks;

    l.runtime = runtime;
    if (ret >= 0)
        ret = list(&l, runtime);
    rp_runtime_destroy(&runtime);
    return ret == RP_ERR_IO && app_reader_gone() ? RP_OK : ret;
}
