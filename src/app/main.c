/* The command line: the table of commands and what surrounds a command.
 *
 * main() opens the options, reads the words and the config file, runs the command and turns its
 * status into the exit code. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

#define N_COMMANDS ((int) (sizeof(commands) / sizeof(*commands)))

static const char *const takes_all[] = {"*", NULL};
static const char *const takes_benchmark[] = {"*", "benchmark", NULL};
static const char *const takes_finding[] = {
    "config-path",
    "face_detector",
    "face_landmarker",
    "face_selector",
    "frame_extraction",
    "execution",
    "memory",
    "misc",
    "models-path",
    "download-providers",
    "download-mirrors",
    "download-patience",
    "offline",
    "log-level",
    NULL,
};
static const char *const takes_models[] = {"config-path", "models-path", "log-level", NULL};
static const char *const takes_download[] = {"config-path", "models-path", "download", "log-level",
                                             NULL};
static const char *const takes_log[] = {"log-level", NULL};

/* Of FaceFusion's jobs and batches. Every one of them finds jobs_path in a config file. */
static const char *const takes_jobs[] = {"config-path", "log-level", NULL};
static const char *const takes_run[] = {
    "config-path", "models-path", "temp-path", "execution", "cuda_graph", "download",
    "video-memory-strategy", "system-memory-limit", "execution-queue-count", "log-level", NULL};
static const char *const leaves_run[] = {"execution",   "cuda_graph", "download",      "memory",
                                         "models-path", "temp-path",  "halt-on-error", "uis",
                                         NULL};
static const char *const leaves_remix[] = {"execution",   "cuda_graph", "download",      "memory",
                                           "models-path", "temp-path",  "halt-on-error", "uis",
                                           "target-path", NULL};
static const char *const leaves_paths[] = {"source-paths", "target-path", "output-path", "uis",
                                           NULL};
/* Of a job that a client names, and of one run. */
static const char *const leaves_served[] = {"source-paths", "target-path", "output-path", "frame",
                                            "resume",       "segment",     NULL};
#define SERVE_NOTES                                                                            \
    "One line is printed: the address with its key, which is new each time. The options\n"    \
    "for jobs are defaults that a client may change; those of paths, execution and\n"         \
    "downloads it may not. docs/api.md describes the interface.\n\n"                           \
    "Examples:\n"                                                                             \
    "  reprise serve\n"                                                                       \
    "  reprise serve --web-host 0.0.0.0 --web-certificate c.pem --web-certificate-key k.pem\n" \
    "  reprise serve --web-socket /run/user/1000/reprise.sock\n"
static const char *const uses_jobs[] = {"jobs-path", NULL};
static const char *const uses_all[] = {"jobs-path", "halt-on-error", NULL};
static const char *const uses_batch[] = {"jobs-path", "halt-on-error", "patterns", NULL};

/* NOLINTBEGIN(bugprone-macro-parentheses): a name in brackets would be no text of the table */
/* A command for one job, or for all. */
#define JOB_COMMAND(of, words, n, function, text)                                              \
    {                                                                                          \
        .name = of, .args = words, .help = text, .takes = takes_jobs, .uses = uses_jobs,       \
        .min_args = n, .max_args = n, .run = function                                          \
    }
#define STEP_COMMAND(of, words, n, left, function, text)                                       \
    {                                                                                          \
        .name = of, .args = words, .help = text, .takes = takes_all, .leaves = left,           \
        .uses = uses_jobs, .min_args = n, .max_args = n, .run = function                       \
    }
#define ALL_COMMAND(of, function, text)                                                        \
    {                                                                                          \
        .name = of, .help = text, .takes = takes_jobs, .uses = uses_all, .run = function       \
    }
#define RUN_COMMAND(of, words, n, used, function, text)                                        \
    {                                                                                          \
        .name = of, .args = words, .help = text, .takes = takes_run, .uses = used,             \
        .min_args = n, .max_args = n, .run = function                                          \
    }
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct app_command commands[] = {
    {
        .name = "headless-run",
        .help = "run the processors on one picture or video and write the result",
        .notes = "Examples:\n"
                 "  reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4\n"
                 "  reprise headless-run --processors face_debugger -t group.jpg -o marked.png\n",
        .takes = takes_all,
        .takes_json = true,
        .run = app_headless_run,
    },
    {
        .name = "batch-run",
        .help = "run the processors on many files, with each of many sources",
        .notes = "A pattern has * ? and [], in quotes; a folder means all of its files. Each\n"
                 "source is taken with each target, and --output-pattern names what comes of\n"
                 "them: {index} counts from 0 ({index:04d}: with zeros), {source_name} and\n"
                 "{target_name} have no folder and no extension, {target_extension} has its dot.\n"
                 "The items are one job: job-run goes on with it if it was interrupted, and\n"
                 "job-retry tries again what failed.\n\n"
                 "Examples:\n"
                 "  reprise batch-run -s me.jpg -t 'in/*.mp4' -o 'out/{target_name}.mp4'\n"
                 "  reprise batch-run -s faces -t in -o 'out/{source_name}-{target_name}.png'\n",
        .takes = takes_all,
        .leaves = leaves_paths,
        .uses = uses_batch,
        .run = app_batch_run,
    },
    /* clang-format off */
    {
        .name = "job-list", .args = "drafted|queued|completed|failed", .help = "list the jobs of a status",
        .takes = takes_jobs, .uses = uses_jobs, .words = APP_WORDS_STATUSES, .min_args = 1,
        .max_args = 1, .run = app_job_list,
    },
    JOB_COMMAND("job-create", "JOB_ID", 1, app_job_create, "make a drafted job without steps"),
    JOB_COMMAND("job-submit", "JOB_ID", 1, app_job_submit, "put a drafted job into the queue"),
    ALL_COMMAND("job-submit-all", app_job_submit_all, "put all drafted jobs into the queue"),
    JOB_COMMAND("job-delete", "JOB_ID", 1, app_job_delete, "delete a job, whatever its status"),
    ALL_COMMAND("job-delete-all", app_job_delete_all, "delete all jobs"),
    STEP_COMMAND("job-add-step", "JOB_ID", 1, leaves_run, app_job_add_step, "add a step with these options to a job"),
    STEP_COMMAND("job-remix-step", "JOB_ID STEP_INDEX", 2, leaves_remix, app_job_remix_step,
                 "add a step whose target is what another step makes"),
    STEP_COMMAND("job-insert-step", "JOB_ID STEP_INDEX", 2, leaves_run, app_job_insert_step, "add a step before another"),
    JOB_COMMAND("job-remove-step", "JOB_ID STEP_INDEX", 2, app_job_remove_step, "remove a step; -1: the last"),
    RUN_COMMAND("job-run", "JOB_ID", 1, uses_jobs, app_job_run, "run a queued job, or go on with one that was interrupted"),
    RUN_COMMAND("job-run-all", NULL, 0, uses_all, app_job_run_all, "run all queued jobs"),
    RUN_COMMAND("job-retry", "JOB_ID", 1, uses_jobs, app_job_retry, "run a failed job again"),
    RUN_COMMAND("job-retry-all", NULL, 0, uses_all, app_job_retry_all, "run all failed jobs again"),
    /* clang-format on */
    {
        .name = "analyse",
        .args = "FILE...",
        .help = "show the faces of pictures and videos",
        .notes = "The faces of a frame are numbered as --reference-face-position counts them, in\n"
                 "the order of --face-selector-order; those without a number are left out by the\n"
                 "selector's age, gender or race.\n"
                 "With --json: one object a frame and line, coordinates in pixels of the file.\n\n"
                 "Examples:\n"
                 "  reprise analyse group.jpg\n"
                 "  reprise analyse --sheet faces.png clip.mp4\n"
                 "  reprise analyse --json clip.mp4 > faces.jsonl\n",
        .takes = takes_finding,
        .takes_json = true,
        .takes_sheet = true,
        .words = APP_WORDS_FILES,
        .min_args = 1,
        .max_args = INT_MAX,
        .run = app_analyse,
    },
    {
        .name = "models",
        .args = "[WORD...]",
        .help = "list the models: what is installed, and what a job with these options needs",
        .notes = "WORD: the models whose kind or name contains it, or the one of that name;\n"
                 "the word all: all. --json, --networks and --verify mean all where no\n"
                 "word is given.\n"
                 "With --verify the exit code is 1 if a file is not the published one.\n\n"
                 "Examples:\n"
                 "  reprise models\n"
                 "  reprise models --processors face_swapper lip_syncer\n"
                 "  reprise models face_swapper\n"
                 "  reprise models all\n"
                 "  reprise models --verify\n"
                 "  reprise models --networks\n",
        .takes = takes_all,
        .takes_json = true,
        .takes_verify = true,
        .takes_networks = true,
        .words = APP_WORDS_MODELS,
        .max_args = INT_MAX,
        .run = app_models,
    },
    {
        .name = "force-download",
        .args = "[WORD...]",
        .help = "fetch all models, or those that the words name, and check installed ones",
        .notes = "WORD keeps the models whose kind or name contains it, or the one of that name.\n"
                 "Without a word: all, of the deep swappers those of --download-scope. Files\n"
                 "that are right stay; a download that was interrupted is continued.\n\n"
                 "Examples:\n"
                 "  reprise force-download inswapper_128\n"
                 "  reprise force-download face_detector content_analyser\n"
                 "  reprise force-download lite\n"
                 "  reprise force-download --download-mirrors github=https://mirror.example\n",
        .takes = takes_download,
        .takes_json = true,
        .words = APP_WORDS_MODELS,
        .max_args = INT_MAX,
        .run = app_force_download,
    },
    {
        .name = "doctor",
        .help = "show what this machine has, what is missing and how to get it",
        .takes = takes_models,
        .takes_json = true,
        .run = app_doctor,
    },
    {
        .name = "inspect",
        .args = "FILE...",
        .help = "read the synthetic-media mark of pictures and videos",
        .takes = takes_log,
        .takes_json = true,
        .words = APP_WORDS_FILES,
        .min_args = 1,
        .max_args = INT_MAX,
        .run = app_inspect,
    },
    {
        .name = "benchmark",
        .help = "measure the networks, the work on a frame and whole jobs on this machine",
        .notes = "Examples:\n"
                 "  reprise benchmark -s me.jpg -t group.jpg --html report.html\n"
                 "  reprise benchmark --execution-providers cuda -t group.jpg --json h200.json\n"
                 "  reprise benchmark --benchmark-parts models --benchmark-models net.onnx\n",
        .takes = takes_benchmark,
        .takes_files = true,
        .run = app_benchmark,
    },
    {
        .name = "plan",
        .help = "show what is done with a frame of a target: operations, networks, memory",
        .notes = "A frame's work is a list that is recorded once and is the same for all frames.\n"
                 "Each list has a hash: lists with the same hash do the same with the same files.\n"
                 "Nothing is written. A picture that is scaled down is shown in its own size.\n\n"
                 "Examples:\n"
                 "  reprise plan -s me.jpg -t clip.mp4\n"
                 "  reprise plan --json --processors face_debugger -t group.jpg\n",
        .takes = takes_all,
        .takes_json = true,
        .run = app_plan,
    },
    {
        .name = "clean",
        .args = "[FOLDER...]",
        .help = "show what runs that were killed have left, and remove it",
        .notes =
            "FOLDER: where outputs were written; the current folder if none is given.\n"
            "Pieces of videos from which the same command would go on, and temporary files.\n"
            "They are only shown, and removed with --remove. What a running job uses is never\n"
            "removed; a job of another machine counts as running until it has done nothing\n"
            "for a day.\n\n"
            "Examples:\n"
            "  reprise clean\n"
            "  reprise clean --remove /videos\n",
        .takes = takes_log,
        .takes_json = true,
        .takes_remove = true,
        .words = APP_WORDS_FILES,
        .max_args = INT_MAX,
        .run = app_clean_up,
    },
    {
        .name = "join",
        .args = "OUTPUT",
        .help = "make a video of the segments that runs with --segment have made",
        .notes = "OUTPUT: as given to those runs, or the hidden folder of its pieces. All options\n"
                 "are those of the runs, and paths are read from the folder they were run in.\n"
                 "The exit code is 75 if pieces are missing.\n\n"
                 "Examples:\n"
                 "  reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4 --segment 1/2\n"
                 "  reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4 --segment 2/2\n"
                 "  reprise join out.mp4\n",
        .takes = takes_log,
        .takes_json = true,
        .words = APP_WORDS_FILES,
        .min_args = 1,
        .max_args = 1,
        .run = app_join,
    },
    {
        .name = "serve",
        .help = "serve a page for browsers and an interface for programs, on this machine",
        .notes = SERVE_NOTES,
        .takes = takes_all,
        .leaves = leaves_served,
        .takes_web = true,
        .run = app_serve,
    },
    {
        .name = "run",
        .help = "the same as serve, and open the page",
        .notes = SERVE_NOTES,
        .takes = takes_all,
        .leaves = leaves_served,
        .takes_web = true,
        .run = app_serve,
    },
    {
        .name = "completion",
        .args = "bash|zsh|fish",
        .help = "print the script that lets a shell complete the words of reprise",
        .notes = "An installed reprise has its scripts where the shells look for them. Else:\n"
                 "  bash  source <(reprise completion bash)\n"
                 "  zsh   source <(reprise completion zsh)\n"
                 "  fish  reprise completion fish | source\n",
        .takes = takes_log,
        .words = APP_WORDS_SHELLS,
        .max_args = 1,
        .run = app_completion,
    },
};

/* ---- words before a command ---- */

static const struct app_command *find_command(const char *name)
{
    for (int i = 0; i < N_COMMANDS; i++) {
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

static int unknown_command(const char *name)
{
    const struct app_command *nearest = NULL;
    int least = 4; /* more edits than 3 make another word */

    for (int i = 0; i < N_COMMANDS; i++) {
        if (app_is_near(name, commands[i].name, &least))
            nearest = &commands[i];
    }
    if (nearest)
        app_log(RP_LOG_ERROR, "%s: unknown command, did you mean %s?", name, nearest->name);
    else
        app_log(RP_LOG_ERROR, "%s: unknown %s", name, name[0] == '-' ? "option" : "command");
    fputs("see 'reprise --help'\n", stderr);
    return RP_ERR_USAGE;
}

struct version_lines {
    char *onnxruntime, *check;
};

static void find_lines(void *priv, const rp_finding *finding)
{
    struct version_lines *const lines = priv;

    if (finding->ok && finding->detail && !strcmp(finding->name, "ONNX Runtime"))
        lines->onnxruntime = strdup(finding->detail);
    if (finding->advice && finding->detail && !strcmp(finding->name, "content check"))
        lines->check = strdup(finding->detail);
}

static void print_version(void)
{
    rp_runtime *runtime = NULL;
    struct version_lines lines = {0};

    app_log_level(RP_LOG_QUIET); /* the version is shown without ONNX Runtime too */
    if (rp_runtime_create(&runtime, NULL) >= 0)
        rp_doctor(runtime, find_lines, &lines);
    rp_runtime_destroy(&runtime);
    app_log_level(RP_LOG_INFO);
    printf("reprise %s\n", rp_version());
    if (lines.onnxruntime) {
        app_print("ONNX Runtime %s", lines.onnxruntime);
        putchar('\n');
    }
    if (lines.check)
        printf("a build for tests: the content check %s\n", lines.check);
    free(lines.onnxruntime);
    free(lines.check);
#ifdef APP_LINKS_FFMPEG
    puts("source MIT; this binary links Debian's GPL build of FFmpeg, so as a whole it is under "
         "the GPL");
#else
    puts("source MIT");
#endif
}

/* ---- running ---- */

static int run_command(const struct app_command *command, int argc, char **argv)
{
    struct app app;
    int ret;

    if ((ret = app_open(&app, command)) < 0 || (ret = app_parse(&app, argc, argv)) < 0)
        goto done;
    app.commands = commands;
    app.n_commands = N_COMMANDS;
    if (app.help)
        app_help(&app);
    else
        ret = command->run(&app);
done:
    if (ret == RP_ERR_USAGE)
        fprintf(stderr, "see 'reprise %s --help'\n", command->name);
    app_close(&app);
    return ret;
}

static int help_command(const char *name)
{
    const struct app_command *command = find_command(name);
    char help[] = "--help";
    char *words[] = {help};

    return command ? run_command(command, 1, words) : unknown_command(name);
}

static int dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "--help";
    const struct app_command *command;

    if (!strcmp(word, "--version") || !strcmp(word, "-v")) {
        print_version();
        return RP_OK;
    }
    if (!strcmp(word, "help") && argc > 2 && !strcmp(argv[2], "--man"))
        return app_man_options(commands, N_COMMANDS); /* for the build */
    if (!strcmp(word, "help") && argc > 2)
        return help_command(argv[2]);
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        app_help_overview(commands, N_COMMANDS);
        return RP_OK;
    }
    command = find_command(word);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(word);
}

/* A file opened while 0, 1 or 2 is closed would get that number, and what is printed would go into
 * it. Read only, so that printing to a closed stdout still fails. */
static void keep_standard_files(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    int ret, flushed;

    keep_standard_files();
    app_signals_install();
    app_log_level(RP_LOG_INFO);
    ret = dispatch(argc, argv);
    if (ret == RP_ERR_NOMEM && !app_error_said())
        app_log(RP_LOG_ERROR, "out of memory");
    flushed = app_flush();
    if (flushed < 0 && app_reader_gone())
        flushed = RP_OK;
    return rp_exit_code(ret < 0 ? ret : flushed);
}
