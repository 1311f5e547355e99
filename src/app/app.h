/* What the files of the command line share.
 *
 * The command line uses reprise.h and nothing else of the library but how JSON becomes text. A
 * command is a function and a row of the table in main.c; it returns 0 or an rp_status, which main()
 * turns into the exit code. Results go to stdout, words for people to stderr, through app_log() so
 * that they do not break the progress bar. */
#ifndef APP_H
#define APP_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "reprise/reprise.h"

#define APP_PRINTF(f, a) __attribute__((format(printf, f, a)))

struct app;

/* What the words of a command are, for completion. */
enum app_words_kind {
    APP_WORDS_NONE,
    APP_WORDS_FILES,
    APP_WORDS_MODELS,
    APP_WORDS_SHELLS,
    APP_WORDS_STATUSES,
};

struct app_command {
    const char *name;
    const char *args;         /* what follows the options in the usage line, NULL: nothing */
    const char *help;         /* one line, lower case, no full stop */
    const char *notes;        /* the end of --help, with lines broken by hand; NULL: nothing */
    const char *const *takes; /* groups and options of the library, NULL-terminated; "*" = all */
    const char *const *leaves; /* what "*" does not mean here, likewise; or NULL */
    const char *const *uses;   /* FaceFusion's options that only the command line has a use for, and
                                * this command has it, likewise; or NULL */
    bool takes_json;
    bool takes_files; /* --json FILE and --html FILE instead */
    bool takes_verify, takes_networks;
    bool takes_remove;
    bool takes_sheet;
    bool takes_web;
    enum app_words_kind words;
    int min_args, max_args;
    int (*run)(struct app *app);
};

enum { APP_CAMERAS = 16 };

/* Options of serve and run, as typed; NULL: not given. */
struct app_web {
    const char *host, *port, *socket, *certificate, *certificate_key, *path, *quota;
    const char *cameras[APP_CAMERAS];
    int n_cameras;
    bool insecure;
};

/* One run of one command. */
struct app {
    const struct app_command *command;
    const struct app_command *commands; /* all of them */
    int n_commands;
    rp_options *options;
    rp_option_info *table; /* the options that this command takes, in the order of the manual */
    int n_table;
    const char **args; /* words that belong to no option */
    int n_args;
    const char *config_path; /* as given, NULL: look for the usual names */
    const char *json_path, *html_path, *sheet_path;
    bool json, help, verify, networks, remove;
    struct app_web web;
};

/* ---- args.c ---- */

/* Make app->options and app->table. */
int app_open(struct app *app, const struct app_command *command);
void app_close(struct app *app);

/* Read the words after the command, then the config file. Prints messages. */
int app_parse(struct app *app, int argc, char **argv);

/* May `typed` have been meant to be `name`, and more likely so than what *least is of? */
bool app_is_near(const char *typed, const char *name, int *least);

/* RP_ERR_USAGE with a sentence if the option has no value. `what` says what it is for. */
int app_require(const struct app *app, const char *name, const char *what);

/* A runtime as the options say, with downloads if the command takes the options for downloads. */
int app_runtime(const struct app *app, rp_runtime **out);

/* Selects the models whose kind or name contains one of the command's words, or all if there are no
 * words. A word that is the whole name of a model, and of no kind, means only that model.
 * RP_ERR_USAGE if a word means no model: with what it may have been meant to be. */
struct app_words {
    const struct app *app;
    uint64_t names, kinds, found; /* a bit for each word */
};
int app_words_open(struct app_words *words, const struct app *app, rp_runtime *runtime);
bool app_words_want(const struct app_words *words, const rp_model_info *model);

/* ---- help.c ---- */

void app_help(const struct app *app);
void app_help_overview(const struct app_command *commands, int n);

/* The placeholder of an option's value, NULL for a flag; and what it does, with its choices, range
 * and default: to be freed, NULL if out of memory. More than `most` choices are only counted. */
const char *app_help_meta(const rp_option_info *option);
char *app_help_text(const rp_option_info *option, int most);

/* Print words on stdout from `column` on, and an end of line; further lines begin at `indent`. */
void app_wrap(const char *text, int column, int indent, int width);

/* Columns of the terminal of fd: $COLUMNS, else what the terminal says, else 80. */
int app_width(int fd);

/* ---- log.c: the log and the bar, which share the terminal's last line ---- */

/* Print text with what could command a terminal made visible (rp_text_clean). What is not of this
 * program, and what may hold such a thing, is printed in no other way. */
void app_put(FILE *f, const char *text);

/* The same for lines of this library, each with its end; they are overwritten. */
void app_put_lines(FILE *f, char *text);

/* One piece of such a text, for other writers. Returns where the next begins. */
#define APP_CLEAN 1024
const char *app_clean(const char *text, char out[APP_CLEAN]);

void app_log_level(enum rp_log_level level);
enum rp_log_level app_log_level_get(void);
bool app_error_said(void); /* in this process so far */
void app_log(enum rp_log_level level, const char *fmt, ...) APP_PRINTF(2, 3);

/* Draw a bar on the last line, or replace it; remove it. */
#define APP_BAR_SIZE 512
void app_bar_draw(const char *text);
int app_bar_width(void);
void app_bar_end(void);

/* True while there is a bar on the last line. Safe in a signal handler. */
bool app_bar_is_drawn(void);

/* ---- progress.c ---- */

/* An rp_progress_fn for people; priv is not used. app_bar_end() ends it. */
void app_progress(void *priv, const rp_progress *progress);

/* An rp_download_fn for people; priv is not used. */
int app_download(void *priv, const rp_download *download);

/* ---- headless_run.c ---- */

/* Run it; the first signal ends it. */
int app_run_job(const struct app *app, rp_job *job);

/* One line about a job that is done, and in the debug log its times. */
void app_report_text(const char *output, const rp_job *job);

/* ---- signals.c ---- */

void app_signals_install(void);

/* From now on the first SIGINT or SIGTERM stops this job. NULL ends that, and waits for a handler
 * that is still running, so that the job may be destroyed. */
void app_signals_job(rp_job *job);

/* From now on the first signal only makes app_interrupted() true. Without this or a job a signal
 * ends the process. */
void app_signals_defer(bool on);
bool app_interrupted(void);

/* ---- output.c: stdout ---- */

/* Flush stdout. RP_ERR_IO if it cannot be written: with a sentence the first time, but silently if
 * the reader has gone. */
int app_flush(void);

/* Print to stdout, formatted by printf, like app_put(): line ends in it become visible too. Without
 * memory for it app_flush() fails. */
void app_print(const char *fmt, ...) APP_PRINTF(1, 2);

/* True if the reader of stdout has gone away, which is not a failure. */
bool app_reader_gone(void);

/* A JSON string; bytes that are not UTF-8 become U+FFFD. NULL text: JSON null. */
json_t *app_json_text(const char *text);

/* A JSON number; null if it is not finite, which JSON cannot express. */
json_t *app_json_number(double v);

/* object[key] = value; one more element of an array. Both take over the value. */
void app_json_put(json_t *object, const char *key, json_t *value);
void app_json_add(json_t *array, json_t *value);

/* Write one line and flush; takes over the object. What could command a terminal is written as \\u.
 * NULL means that it could not be made: out of memory. */
int app_json_line(json_t *object);

/* ---- complete.c ---- */

/* Print the options of all commands as the text of a man page. */
int app_man_options(const struct app_command *commands, int n);

/* ---- sheet.c ---- */

/* "female", "male" or NULL. */
const char *app_gender_name(const rp_face *face);

/* "20-29", or "-" if it is not known; written to `out`. */
const char *app_age_text(const rp_face *face, char out[32]);

/* ---- the commands ---- */

int app_headless_run(struct app *app);
int app_analyse(struct app *app);
int app_models(struct app *app);
int app_force_download(struct app *app);
int app_doctor(struct app *app);
int app_inspect(struct app *app);
int app_benchmark(struct app *app);
int app_plan(struct app *app);
int app_completion(struct app *app);
int app_clean_up(struct app *app);
int app_job_list(struct app *app);
int app_job_create(struct app *app);
int app_job_submit(struct app *app);
int app_job_submit_all(struct app *app);
int app_job_delete(struct app *app);
int app_job_delete_all(struct app *app);
int app_job_add_step(struct app *app);
int app_job_remix_step(struct app *app);
int app_job_insert_step(struct app *app);
int app_job_remove_step(struct app *app);
int app_job_run(struct app *app);
int app_job_run_all(struct app *app);
int app_job_retry(struct app *app);
int app_job_retry_all(struct app *app);
int app_batch_run(struct app *app);
int app_join(struct app *app);
int app_serve(struct app *app);

/* One job with the app's options, and its report. */
typedef int app_job_fn(rp_job *job, rp_progress_fn *fn, void *priv);
int app_one_job(struct app *app, app_job_fn *fn);

#endif /* APP_H */
