/* A whole file, picture or video, with any options of the command line:
 *
 *     job --source-paths=me.jpg --target-path=clip.mp4 --output-path=out.mp4
 *
 * Ctrl-C ends it, and no half output is left. */
#include <reprise/reprise.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static rp_job *job;

static void on_signal(int number)
{
    (void) number;
    rp_job_cancel(job);
}

static void on_progress(void *priv, const rp_progress *p)
{
    (void) priv;
    fprintf(stderr, "%lld of %lld frames, %.1f a second\n", (long long) p->frames_done,
            (long long) p->frames_total, p->fps);
}

/* "--name=value" */
static int set_option(rp_options *options, const char *word)
{
    char name[64];
    const char *const value = strchr(word, '=');
    const size_t n = value ? (size_t) (value - word) : 0;

    if (strncmp(word, "--", 2) != 0 || n < 3 || n - 2 >= sizeof(name)) {
        fprintf(stderr, "%s: not --NAME=VALUE\n", word);
        return RP_ERR_USAGE;
    }
    snprintf(name, sizeof(name), "%.*s", (int) n - 2, word + 2);
    return rp_options_set(options, name, value + 1);
}

int main(int argc, char **argv)
{
    rp_runtime *runtime = NULL;
    rp_options *options = NULL;
    rp_report report;
    int ret = rp_options_create(&options);

    for (int i = 1; i < argc && ret >= 0; i++)
        ret = set_option(options, argv[i]);
    /* The options also say what may be fetched; without this nothing is. */
    if (ret >= 0)
        ret = rp_runtime_create(&runtime, &(rp_runtime_params){.download = options});
    if (ret >= 0)
        ret = rp_job_create(&job, runtime, options);
    if (ret >= 0) {
        signal(SIGINT, on_signal);
        ret = rp_job_run(job, on_progress, NULL);
        signal(SIGINT, SIG_DFL);
        rp_job_report(job, &report);
        printf("%lld faces changed\n", (long long) report.progress.faces_changed);
    }
    rp_job_destroy(&job);
    rp_runtime_destroy(&runtime);
    rp_options_destroy(&options);
    return rp_exit_code(ret);
}
