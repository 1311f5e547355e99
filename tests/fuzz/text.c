/* What a user types or keeps as text: options, a config file, the words of a command line; and text
 * on its way to a terminal. */
#include "../option_table.h"
#include "app/app.h"
#include "fuzz.h"

static void check_text(struct rp_settings *s, const char *name)
{
    char *const before = rp_settings_text(s, name);

    if (before) {
        fuzz_must(rp_settings_set_text(s, name, before) >= 0);
        char *const after = rp_settings_text(s, name);
        fuzz_must(after && !strcmp(before, after));
        free(after);
    }
    free(before);
}

/* Lines "name value": values stay within what the table allows, and a value written as text is read
 * back as the same text. */
void fuzz_options(const uint8_t *data, size_t size)
{
    struct rp_settings *s = NULL;
    char *const text = strndup((const char *) data, size), *state = NULL;

    fuzz_must(text && rp_settings_create(&s, option_groups) >= 0);
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char *const blank = strchr(line, ' ');
        if (blank)
            *blank = '\0';
        if (rp_settings_set_text(s, line, blank ? blank + 1 : NULL) == 0)
            check_text(s, line);
        fuzz_must(promises_kept(s));
    }
    rp_settings_destroy(&s);
    free(text);
}

/* A config file: values are what the table allows; a refused file changes none. */
void fuzz_config(const uint8_t *data, size_t size)
{
    struct rp_settings *s = NULL;
    char *const text = strndup((const char *) data, size);

    fuzz_must(text && rp_settings_create(&s, option_groups) >= 0);
    const int ret = rp_settings_read_ini_text(s, "fuzz.ini", text);
    for (const struct rp_opt *o = look_opts; ret < 0 && o->name; o++)
        fuzz_must(!rp_settings_is_set(s, o->name));
    fuzz_must(promises_kept(s));
    rp_settings_destroy(&s);
    free(text);
}

static int run_nothing(struct app *app)
{
    (void) app;
    return 0;
}

/* The words of a command, one a line: each is an option's, the command's own, or refused. A file of
 * settings is not looked for. */
void fuzz_args(const uint8_t *data, size_t size)
{
    static const char *const takes[] = {"face_detector", "face_selector", "paths", "log-level",
                                        NULL};
    static const struct app_command command = {.name = "fuzz",
                                               .takes = takes,
                                               .takes_json = true,
                                               .min_args = 1,
                                               .max_args = 20,
                                               .run = run_nothing};
    struct app app;
    char *argv[64], *state = NULL, *const text = strndup((const char *) data, size);
    int argc = 0;

    fuzz_must(text && app_open(&app, &command) >= 0);
    for (char *w = strtok_r(text, "\n", &state); w && argc < 64; w = strtok_r(NULL, "\n", &state))
        argv[argc++] = w;
    const int ret = app_parse(&app, argc, argv);
    fuzz_must(ret < 0 || app.help || (app.n_args >= 1 && app.n_args <= 20));
    for (int i = 0; i < app.n_args; i++)
        fuzz_must(app.args[i] >= text && app.args[i] <= text + size);
    app_close(&app);
    app_log_level(RP_LOG_QUIET);
    free(text);
}

/* No control is left, what is left is UTF-8 and stays as it is; cut anywhere, it is the beginning
 * of the whole. */
void fuzz_text(const uint8_t *data, size_t size)
{
    char *const text = strndup((const char *) data, size);
    char *const once = malloc(6 * size + 1), *const twice = malloc(6 * size + 1);
    const size_t n = rp_text_clean(RP_TEXT_TERMINAL, text, once, 6 * size + 1);

    fuzz_must(n <= 6 * size && strlen(once) == n);
    for (size_t i = 0; i < n; i++)
        fuzz_must((unsigned char) once[i] >= ' ' && once[i] != 0x7f);
    rp_text_clean(RP_TEXT_UTF8, once, twice, 6 * size + 1);
    fuzz_must(!strcmp(once, twice));
    rp_text_clean(RP_TEXT_TERMINAL, once, twice, 6 * size + 1);
    fuzz_must(!strcmp(once, twice));
    const size_t room = size ? data[0] % (n + 1) + 1 : 1;
    fuzz_must(rp_text_clean(RP_TEXT_TERMINAL, text, twice, room) == n);
    fuzz_must(strlen(twice) < room && !strncmp(once, twice, strlen(twice)));
    free(twice);
    free(once);
    free(text);
}

/* args.c names it for downloads, of which there are none here. */
int app_download(void *priv, const rp_download *download)
{
    (void) priv;
    (void) download;
    return 1;
}
