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
                 "the word all: all. --json and --verify mean all where no word is given.\n"
                 "With --verify the exit code is 1 if a file is not the published one.\n\n"
                 "Examples:\n"
                 "  reprise models\n"
                 "  reprise models --processors face_swapper lip_syncer\n"
                 "  reprise models face_swapper\n"
                 "  reprise models all\n"
                 "  reprise models --verify\n",
        .takes = takes_all,
        .takes_json = true,
        .takes_verify = true,
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
        .notes = "FOLDER: where outputs were written; the current folder if none is given.\n"
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

/* FaceFusion's other commands. */
static const char a_job[] = "jobs of FaceFusion are not here yet; use headless-run for each step";
static const struct {
    const char *name, *why;
} absent[] = {
    {"run", "FaceFusion's page in the browser is not here; headless-run takes the same options"},
    {"batch-run", "batches of FaceFusion are not here yet; use headless-run for each file"},
    {"job-list", a_job},
    {"job-create", a_job},
    {"job-submit", a_job},
    {"job-submit-all", a_job},
    {"job-delete", a_job},
    {"job-delete-all", a_job},
    {"job-add-step", a_job},
    {"job-remix-step", a_job},
    {"job-insert-step", a_job},
    {"job-remove-step", a_job},
    {"job-run", a_job},
    {"job-run-all", a_job},
    {"job-retry", a_job},
    {"job-retry-all", a_job},
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

    for (size_t i = 0; i < sizeof(absent) / sizeof(*absent); i++) {
        if (!strcmp(name, absent[i].name)) {
            app_log(RP_LOG_ERROR, "%s: %s", name, absent[i].why);
            fputs("see 'reprise --help'\n", stderr);
            return RP_ERR_USAGE;
        }
    }
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
