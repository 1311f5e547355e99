/* From the words of the command line to options of the library.
 *
 * All words are sorted into options first; then --log-level is set, then the others in order. So
 * the log level is right before the first message, and --help works in any place. The config file
 * comes last: the library keeps what is already set. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

/* Options of the command line itself, in the same table as those of the library. */
/* clang-format off */
static const rp_option_info own_options[] = {
    {.group = "app", .title = "General", .name = "json", .is_flag = true, .is_ours = true,
     .help = "results for programs: one JSON object a line on stdout"},
    {.group = "verify", .title = "General", .name = "verify", .is_flag = true, .is_ours = true,
     .help = "read the installed files and compare them with the published checksums"},
    {.group = "networks", .title = "General", .name = "networks", .is_flag = true, .is_ours = true,
     .help = "which installed files our own operations can run instead of ONNX Runtime, and why not"},
    {.group = "remove", .title = "General", .name = "remove", .is_flag = true, .is_ours = true,
     .help = "remove what is shown"},
    {.group = "files", .title = "General", .name = "json", .meta = "FILE", .is_ours = true,
     .help = "write the results as one JSON object"},
    {.group = "files", .title = "General", .name = "html", .meta = "FILE", .is_ours = true,
     .help = "write the results as one page with plots"},
    {.group = "sheet", .title = "General", .name = "sheet", .meta = "FILE", .is_ours = true,
     .help = "write a picture that shows the faces, each with what is known of it"},
    {.group = "web", .title = "Server", .name = "web-host", .meta = "HOST", .is_ours = true, .def_text = "127.0.0.1",
     .help = "address to listen at; another than this machine's own needs a certificate or --web-insecure"},
    {.group = "web", .title = "Server", .name = "web-port", .meta = "N", .is_ours = true, .def_text = "7870",
     .help = "port to listen at; 0: any that is free"},
    {.group = "web", .title = "Server", .name = "web-socket", .meta = "PATH", .is_ours = true,
     .help = "listen at a UNIX socket instead"},
    {.group = "web", .title = "Server", .name = "web-certificate", .meta = "FILE", .is_ours = true,
     .help = "serve HTTPS with this certificate (PEM)"},
    {.group = "web", .title = "Server", .name = "web-certificate-key", .meta = "FILE", .is_ours = true,
     .help = "its private key (PEM)"},
    {.group = "web", .title = "Server", .name = "web-insecure", .is_flag = true, .is_ours = true,
     .help = "serve other machines without a certificate: who is on the way can read all of it"},
    {.group = "web", .title = "Server", .name = "web-path", .meta = "DIR", .is_ours = true,
     .help = "folder of media, jobs and results; default: reprise/web in the user's state folder"},
    {.group = "web", .title = "Server", .name = "web-quota", .meta = "MIB", .is_ours = true, .def_text = "20480",
     .help = "what media and results may take of the disk"},
    {.group = "web", .title = "Server", .name = "web-live", .meta = "NAME=URL...", .is_ours = true, .is_list = true,
     .help = "cameras that clients may look at live, by these names: rtsp:// or rtsps://"},
    {.group = "help", .title = "General", .name = "help", .letter = 'h', .is_flag = true,
     .help = "show this and end"},
};
/* clang-format on */

/* One option with its words, as found. */
struct given {
    const rp_option_info *info;
    const char *inside; /* the value of --name=value or -xvalue */
    const char *const *words;
    int n;
};

struct parser {
    struct app *app;
    char **argv;
    int argc, at;
    struct given *given;
    int n_given;
};

/* ---- the table ---- */

static bool takes_own(const struct app_command *command, const char *group)
{
    return !strcmp(group, "app")      ? command->takes_json
           : !strcmp(group, "files")  ? command->takes_files
           : !strcmp(group, "verify") ? command->takes_verify
           : !strcmp(group, "networks") ? command->takes_networks
           : !strcmp(group, "remove") ? command->takes_remove
           : !strcmp(group, "sheet")  ? command->takes_sheet
           : !strcmp(group, "web")    ? command->takes_web
                                      : true;
}

/* Groups of commands of their own, which "*" does not mean. */
static bool is_apart(const char *group)
{
    return !strcmp(group, "benchmark") || !strcmp(group, "patterns");
}

static bool names(const char *const *list, const rp_option_info *info)
{
    for (; list && *list; list++)
        if (!strcmp(*list, info->group) || !strcmp(*list, info->name))
            return true;
    return false;
}

static bool takes(const struct app_command *command, const rp_option_info *info)
{
    const bool named = names(command->takes, info);
    bool all = false, by_name = false;

    for (const char *const *t = command->takes; *t; t++) {
        by_name = by_name || !strcmp(*t, info->name);
        all = all || !strcmp(*t, "*");
    }
    if (names(command->uses, info))
        return true;
    if (names(command->leaves, info))
        return false;
    /* what has no effect is taken where FaceFusion takes it: with all the others, or by its name */
    return info->no_effect ? by_name || (all && (named || !is_apart(info->group)))
                           : named || (all && !is_apart(info->group));
}

/* As the command line has it: the library has no use for jobs and batches, whose patterns have the
 * letters of paths. */
static rp_option_info used(const rp_option_info *info)
{
    rp_option_info own = *info;

    own.title = "Jobs and batches";
    own.no_effect = false;
    if (!strcmp(info->group, "patterns"))
        own.letter = info->name[0]; /* source, target, output */
    return own;
}

struct collect {
    struct app *app;
    int ret;
};

static void add_option(struct collect *c, const rp_option_info *info)
{
    struct app *app = c->app;
    rp_option_info *grown = realloc(app->table, (size_t) (app->n_table + 1) * sizeof(*grown));

    if (!grown) {
        c->ret = RP_ERR_NOMEM;
        return;
    }
    app->table = grown;
    app->table[app->n_table++] = *info;
}

static void collect_option(void *priv, const rp_option_info *info)
{
    struct collect *c = priv;

    if (!takes(c->app->command, info))
        return;
    const rp_option_info own = names(c->app->command->uses, info) ? used(info) : *info;
    add_option(c, &own);
}

int app_open(struct app *app, const struct app_command *command)
{
    struct collect c = {.app = app};
    int ret;

    *app = (struct app){.command = command};
    if ((ret = rp_options_create(&app->options)) < 0)
        return ret;
    rp_options_each(app->options, collect_option, &c);
    for (size_t i = 0; i < sizeof(own_options) / sizeof(*own_options); i++) {
        if (takes_own(command, own_options[i].group))
            add_option(&c, &own_options[i]);
    }
    if (c.ret < 0)
        app_log(RP_LOG_ERROR, "out of memory");
    return c.ret;
}

void app_close(struct app *app)
{
    rp_options_destroy(&app->options);
    free(app->table);
    free(app->args);
    *app = (struct app){0};
}

/* ---- looking options up ---- */

static bool same_name(const char *name, const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = (char) (word[i] == '_' ? '-' : word[i]);

        if (c != name[i])
            return false; /* also where the name ends early */
    }
    return true;
}

static void say_ambiguous(const struct app *app, const char *word, size_t n)
{
    char list[256] = "";
    size_t used = 0;

    for (int i = 0; i < app->n_table && used < sizeof(list); i++) {
        if (same_name(app->table[i].name, word, n))
            used += (size_t) snprintf(list + used, sizeof(list) - used, "%s--%s", used ? ", " : "",
                                      app->table[i].name);
    }
    app_log(RP_LOG_ERROR, "--%.*s: may be any of %s%s", (int) n, word, list,
            used < sizeof(list) ? "" : " …");
}

/* No option of this command begins so; the library knows the present name of an old one, and if it
 * is mistyped or another command's. */
static const rp_option_info *find_elsewhere(const struct app *app, const char *word, size_t n)
{
    rp_option_info info;
    const rp_option_info *found = NULL;
    char *name = strndup(word, n);

    if (name && rp_options_find(app->options, name, &info) >= 0) {
        for (int i = 0; i < app->n_table && !found; i++)
            found = strcmp(app->table[i].name, info.name) != 0 ? NULL : &app->table[i];
        if (!found)
            app_log(RP_LOG_ERROR, "--%s: not an option of 'reprise %s'%s%s", info.name,
                    app->command->name, info.no_effect ? "; " : "",
                    info.no_effect ? info.help : "");
    }
    free(name);
    return found;
}

/* How many options begin so: those of FaceFusion, or ours. */
static int count_beginning(const struct app *app, const char *word, size_t n, bool ours,
                           const rp_option_info **found)
{
    int count = 0;

    for (int i = 0; i < app->n_table; i++) {
        if (app->table[i].is_ours != ours || !same_name(app->table[i].name, word, n))
            continue;
        *found = &app->table[i];
        count++;
    }
    return count;
}

/* A shortened name means what it means to FaceFusion, whatever options there are besides. */
static const rp_option_info *find_long(const struct app *app, const char *word, size_t n)
{
    const rp_option_info *found = NULL;
    int count;

    for (int i = 0; i < app->n_table; i++)
        if (same_name(app->table[i].name, word, n) && !app->table[i].name[n])
            return &app->table[i];
    count = count_beginning(app, word, n, false, &found);
    if (count == 0)
        count = count_beginning(app, word, n, true, &found);
    if (count > 1)
        say_ambiguous(app, word, n);
    return count == 0 ? find_elsewhere(app, word, n) : count == 1 ? found : NULL;
}

static const rp_option_info *find_short(const struct app *app, char letter)
{
    for (int i = 0; i < app->n_table; i++) {
        if (letter && app->table[i].letter == letter)
            return &app->table[i];
    }
    return NULL;
}

/* ---- names that are nearly right ---- */

/* Edits that turn a into b: inserted, deleted and replaced characters. */
static int distance(const char *a, const char *b)
{
    int row[64];
    int n = (int) strlen(b);

    if (n >= 64)
        return n;
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];

        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            int shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[n];
}

bool app_is_near(const char *typed, const char *name, int *least)
{
    const int d = distance(typed, name);

    if (d >= *least || (size_t) d * 2 >= strlen(name))
        return false;
    *least = d;
    return true;
}

/* ---- sorting the words ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_number(const char *word)
{
    return word[0] == '-' && (is_digit(word[1]) || (word[1] == '.' && is_digit(word[2])));
}

/* Does the word end the values of the option before it? */
static bool ends_values(const struct app *app, const char *word)
{
    if (word[0] != '-' || !word[1])
        return false;
    return word[1] == '-' || (!is_number(word) && find_short(app, word[1]));
}

/* A list that is followed by the command's own words, files or names, ends with the first word that
 * cannot be one of its values. The first value is always the option's, right or wrong. */
static bool can_be_value(const rp_option_info *info, const char *word)
{
    char *end;

    if (info->choices) {
        for (int i = 0; info->choices[i]; i++)
            if (!strcmp(info->choices[i], word))
                return true;
        return false;
    }
    if (!info->is_number)
        return true;
    strtod(word, &end);
    return end != word && !*end;
}

static bool goes_on(const struct parser *p, const rp_option_info *info, int n)
{
    const char *const word = p->argv[p->at];

    if (ends_values(p->app, word))
        return false;
    return n == 0 || (info->is_list && (p->app->command->max_args == 0 ||
                                        can_be_value(info, word)));
}

static int take_values(struct parser *p, const rp_option_info *info, const char *inside)
{
    struct given *g = &p->given[p->n_given++];

    *g = (struct given){.info = info, .inside = inside};
    if (inside) {
        g->words = &g->inside;
        g->n = 1;
        return RP_OK;
    }
    if (info->is_flag)
        return RP_OK;
    g->words = (const char *const *) &p->argv[p->at];
    while (p->at < p->argc && goes_on(p, info, g->n)) {
        p->at++;
        g->n++;
    }
    if (g->n > 0)
        return RP_OK;
    app_log(RP_LOG_ERROR, "--%s: the value is missing", info->name);
    return RP_ERR_USAGE;
}

static int take_long(struct parser *p, const char *word)
{
    size_t n = strcspn(word, "=");
    const rp_option_info *info = find_long(p->app, word, n);

    if (!info)
        return RP_ERR_USAGE;
    return take_values(p, info, word[n] ? word + n + 1 : NULL);
}

static int take_short(struct parser *p, const char *word)
{
    const rp_option_info *info = find_short(p->app, word[1]);
    const char *inside = word[2] == '=' ? word + 3 : word + 2;

    if (!info) {
        find_elsewhere(p->app, word + 1, 1);
        return RP_ERR_USAGE;
    }
    return take_values(p, info, word[2] ? inside : NULL);
}

static int sort_words(struct parser *p)
{
    bool only_args = false;
    int ret = RP_OK;

    while (ret >= 0 && p->at < p->argc) {
        const char *word = p->argv[p->at++];

        if (only_args || word[0] != '-' || !word[1] || is_number(word))
            p->app->args[p->app->n_args++] = word;
        else if (!strcmp(word, "--"))
            only_args = true;
        else if (word[1] == '-')
            ret = take_long(p, word + 2);
        else
            ret = take_short(p, word);
    }
    return ret;
}

/* ---- setting ---- */

static int set_own_flag(const struct given *g, bool *flag)
{
    if (g->inside) {
        app_log(RP_LOG_ERROR, "--%s: takes no value, but '%s' was given", g->info->name, g->inside);
        return RP_ERR_USAGE;
    }
    *flag = true;
    return RP_OK;
}

static int set_cameras(struct app_web *web, const struct given *g)
{
    if (g->n > APP_CAMERAS) {
        app_log(RP_LOG_ERROR, "--web-live: %d cameras are more than %d", g->n, APP_CAMERAS);
        return RP_ERR_USAGE;
    }
    web->n_cameras = g->n;
    for (int i = 0; i < g->n; i++)
        web->cameras[i] = g->words[i];
    return RP_OK;
}

static int set_web(struct app_web *web, const struct given *g)
{
    const struct {
        const char *name;
        const char **value;
    } values[] = {
        {"web-host", &web->host},
        {"web-port", &web->port},
        {"web-socket", &web->socket},
        {"web-certificate", &web->certificate},
        {"web-certificate-key", &web->certificate_key},
        {"web-path", &web->path},
        {"web-quota", &web->quota},
    };

    if (!strcmp(g->info->name, "web-insecure"))
        return set_own_flag(g, &web->insecure);
    if (!strcmp(g->info->name, "web-live"))
        return set_cameras(web, g);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
        if (!strcmp(g->info->name, values[i].name))
            *values[i].value = g->n ? g->words[0] : NULL;
    return RP_OK;
}

static int set_one(struct app *app, const struct given *g)
{
    const char *name = g->info->name;

    if (!strcmp(g->info->group, "files")) {
        *(!strcmp(name, "json") ? &app->json_path : &app->html_path) = g->n ? g->words[0] : NULL;
        return RP_OK;
    }
    if (!strcmp(g->info->group, "sheet")) {
        app->sheet_path = g->n ? g->words[0] : NULL;
        return RP_OK;
    }
    if (!strcmp(g->info->group, "web"))
        return set_web(&app->web, g);
    if (!strcmp(name, "json"))
        return set_own_flag(g, &app->json);
    if (!strcmp(name, "verify"))
        return set_own_flag(g, &app->verify);
    if (!strcmp(name, "networks"))
        return set_own_flag(g, &app->networks);
    if (!strcmp(name, "remove"))
        return set_own_flag(g, &app->remove);
    if (!strcmp(name, "help"))
        return set_own_flag(g, &app->help);
    if (g->n > 0 && !strcmp(name, "config-path"))
        app->config_path = g->words[0];
    return rp_options_set_words(app->options, name, g->n, g->words);
}

static int apply_log_level(const struct app *app)
{
    static const struct {
        const char *name;
        enum rp_log_level level;
    } levels[] = {{"quiet", RP_LOG_QUIET},
                  {"error", RP_LOG_ERROR},
                  {"warn", RP_LOG_WARN},
                  {"info", RP_LOG_INFO},
                  {"debug", RP_LOG_DEBUG}};
    char *text;
    const int ret = rp_options_get_text(app->options, "log-level", &text);

    for (size_t i = 0; text && i < sizeof(levels) / sizeof(*levels); i++) {
        if (!strcmp(text, levels[i].name))
            app_log_level(levels[i].level);
    }
    rp_free(text);
    return ret;
}

/* @param log_level  true: set only --log-level; false: all others */
static int set_given(const struct parser *p, bool log_level)
{
    int ret = RP_OK;

    for (int i = 0; i < p->n_given && ret >= 0; i++) {
        if (!strcmp(p->given[i].info->name, "log-level") == log_level)
            ret = set_one(p->app, &p->given[i]);
    }
    return ret;
}

static bool takes_option(const struct app *app, const char *name)
{
    for (int i = 0; i < app->n_table; i++) {
        if (!strcmp(app->table[i].name, name))
            return true;
    }
    return false;
}

/* What a file that merely lies in the current folder must not decide without a word: hosts and
 * folders that models, and what is made of them, are loaded from. (No option names a library.) */
static const char *const trusting[] = {"models-path", "download-providers", "download-mirrors",
                                       "cuda-graph-cache", "benchmark-models"};
enum { TRUSTING = sizeof(trusting) / sizeof(*trusting) };

static void get_trusting(const struct app *app, char *text[TRUSTING])
{
    for (int i = 0; i < TRUSTING; i++)
        text[i] = rp_options_text(app->options, trusting[i]);
}

/* One line that lists those which the file has set. */
static void say_trusting(const char *path, char *const before[TRUSTING], char *const now[TRUSTING])
{
    char list[256] = "";

    for (int i = 0; i < TRUSTING; i++) {
        const size_t n = strlen(list);

        if (now[i] && (!before[i] || strcmp(before[i], now[i]) != 0))
            snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", trusting[i]);
    }
    if (*list)
        app_log(RP_LOG_WARN, "%s in the current folder says where models come from: %s", path,
                list);
}

static int read_found_config(struct app *app, const char *path)
{
    char *before[TRUSTING], *now[TRUSTING];

    app_log(RP_LOG_INFO, "settings from %s in the current folder", path);
    get_trusting(app, before);
    const int ret = rp_options_read_config(app->options, path);
    get_trusting(app, now);
    if (ret >= 0) /* at the level from before, which the file cannot set */
        say_trusting(path, before, now);
    for (int i = 0; i < TRUSTING; i++) {
        rp_free(before[i]);
        rp_free(now[i]);
    }
    return ret;
}

static int read_config(struct app *app)
{
    static const char *const usual[] = {"reprise.ini", "facefusion.ini"};
    const char *found = NULL;
    int ret;

    if (!takes_option(app, "config-path"))
        return RP_OK;
    for (size_t i = 0; !found && i < sizeof(usual) / sizeof(*usual); i++)
        found = access(usual[i], F_OK) ? NULL : usual[i];
    if (!app->config_path && !found)
        return RP_OK;
    ret = app->config_path ? rp_options_read_config(app->options, app->config_path)
                           : read_found_config(app, found);
    if (ret >= 0)
        ret = apply_log_level(app);
    return ret;
}

/* ---- without effect ---- */

/* 1, 0 or a status. */
static int is_given(const struct app *app, const rp_option_info *info)
{
    char *text;
    const int ret = rp_options_get_text(app->options, info->name, &text);
    const bool given = text && !(info->is_flag && !strcmp(text, "no"));

    rp_free(text);
    return ret < 0 ? ret : given;
}

/* One line for all of them, wherever they were given. */
static int say_no_effect(const struct app *app)
{
    const rp_option_info *one = NULL;
    char list[1024] = "";
    int n = 0;

    for (int i = 0; i < app->n_table; i++) {
        const rp_option_info *const info = &app->table[i];
        const size_t used = strlen(list);

        const int given = info->no_effect ? is_given(app, info) : 0;
        if (given < 0)
            return given;
        if (!given)
            continue;
        snprintf(list + used, sizeof(list) - used, "%s--%s", used ? ", " : "", info->name);
        one = info;
        n++;
    }
    if (n == 1)
        app_log(RP_LOG_INFO, "--%s has no effect here: %s", one->name, one->help);
    else if (n > 1)
        app_log(RP_LOG_INFO, "without effect here: %s", list);
    return 0;
}

/* The list that may have taken the files for its own words, or NULL. */
static const struct given *long_list(const struct parser *p)
{
    for (int i = 0; i < p->n_given; i++)
        if (p->given[i].info->is_list && p->given[i].n > 1)
            return &p->given[i];
    return NULL;
}

static int check_args(const struct parser *p)
{
    const struct app *const app = p->app;
    const struct app_command *c = app->command;
    const struct given *const list = long_list(p);

    if (app->n_args < c->min_args && list && c->words == APP_WORDS_FILES) {
        app_log(RP_LOG_ERROR,
                "%s: no file was given; --%s took '%s' as one of its values: write -- before files",
                c->name, list->info->name, list->words[list->n - 1]);
        return RP_ERR_USAGE;
    }
    if (app->n_args < c->min_args) {
        app_log(RP_LOG_ERROR, c->words == APP_WORDS_FILES ? "%s: no file was given"
                                                          : "%s: a word is missing: %s",
                c->name, c->args);
        return RP_ERR_USAGE;
    }
    if (app->n_args > c->max_args) {
        app_log(RP_LOG_ERROR, "%s: the word '%s' belongs to no option%s", c->name,
                app->args[c->max_args],
                takes_option(app, "target-pattern") ? "; patterns are written in quotes" : "");
        return RP_ERR_USAGE;
    }
    return RP_OK;
}

int app_parse(struct app *app, int argc, char **argv)
{
    struct parser p = {.app = app, .argv = argv, .argc = argc};
    int ret = RP_ERR_NOMEM;

    p.given = calloc((size_t) argc + 1, sizeof(*p.given));
    app->args = calloc((size_t) argc + 1, sizeof(*app->args));
    if (!p.given || !app->args) {
        app_log(RP_LOG_ERROR, "out of memory");
        goto done;
    }
    if ((ret = sort_words(&p)) < 0 || (ret = set_given(&p, true)) < 0 ||
        (ret = apply_log_level(app)) < 0)
        goto done;
    if ((ret = set_given(&p, false)) < 0 || app->help)
        goto done;
    if ((ret = check_args(&p)) >= 0 && (ret = read_config(app)) >= 0)
        ret = say_no_effect(app);
done:
    free(p.given);
    return ret;
}

/* ---- for the commands ---- */

int app_require(const struct app *app, const char *name, const char *what)
{
    char *text;
    const int ret = rp_options_get_text(app->options, name, &text);
    bool there = text && *text;

    rp_free(text);
    if (there || ret < 0)
        return ret;
    app_log(RP_LOG_ERROR, "--%s is missing: %s", name, what);
    return RP_ERR_USAGE;
}

int app_runtime(const struct app *app, rp_runtime **out)
{
    char *models;
    const bool download = takes_option(app, "download-providers");
    int ret = rp_options_get_text(app->options, "models-path", &models);
    const rp_runtime_params params = {.models_path = models,
                                      .download = download ? app->options : NULL,
                                      .on_download = app_download};

    *out = NULL;
    if (ret >= 0)
        ret = rp_runtime_create(out, &params);
    rp_free(models);
    return ret;
}
