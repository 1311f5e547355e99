/* What a job in pieces is, for its journal: all that decides which bytes its pieces have. */
#include "base/path.h"
#include "models/memory.h"
#include "pipeline/job.h"
#include "rp_commit.h"

struct sums {
    const struct rp_settings *settings;
    FILE *to;
    int ret; /* of the first failure */
};

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(name, *list))
            return true;
    return false;
}

/* Not where to read and write, how fast, and what only the end of the job needs. */
static bool changes_picture(const struct rp_opt_group *group, const struct rp_opt *opt)
{
    static const char *const others[] = {
        "execution-device-ids", "execution-thread-count", "cuda-graph-slots", "cuda-graph-memory",
        "cuda-graph-verify",    "cuda-graph-warmup",      "cuda-graph-cache", NULL};

    if (opt->no_effect || group == &rp_trim_group || group == &rp_benchmark_group ||
        group == &rp_misc_group || !strcmp(group->name, "download"))
        return false;
    if (group == &rp_path_group)
        return !strcmp(opt->name, "damaged-input");
    if (group == &rp_output_group)
        return !strncmp(opt->name, "output-video-", strlen("output-video-")) &&
               strcmp(opt->name, "output-video-piece") != 0;
    return !is_one_of(opt->name, others);
}

static void write_option(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    char *text;
    struct sums *const s = priv;

    if (s->ret < 0 || !changes_picture(group, opt))
        return;
    s->ret = rp_settings_get_text(s->settings, opt->name, &text);
    if (s->ret >= 0)
        fprintf(s->to, "%s = %s\n", opt->name, text ? text : "");
    if (s->ret >= 0)
        free(text);
}

/* Words that name no file are part of the options. */
static void write_file(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt,
                       const char *path)
{
    char hex[RP_SHA256_HEX];
    struct sums *const s = priv;

    (void) group;
    if (s->ret < 0 || !rp_path_is_file(path))
        return;
    s->ret = rp_sha256_file(path, hex);
    fprintf(s->to, "%s %s\n", opt->name, hex);
}

/* In no order: models may be opened at the same time. */
static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* @param forms  how they are run on a GPU, too, which is measured */
static int write_models(const struct rp_pipeline *pipeline, bool forms, FILE *to)
{
    enum { MOST = 256 };
    int n = 0;
    typedef char sum[RP_SHA256_HEX + 24];
    sum *const hex = malloc(MOST * sizeof(*hex));
    const struct rp_model *model;

    if (!hex)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (; n < MOST && (model = rp_pool_model(pipeline->pool, n)); n++) {
        struct rp_sums sums;
        const int ret = rp_memory_sums(rp_model_path(model), false, &sums);

        if (ret < 0) {
            free(hex);
            return ret;
        }
        snprintf(hex[n], sizeof(hex[n]), "%s", sums.sha256);
        if (forms && rp_model_is_native(model))
            snprintf(hex[n], sizeof(hex[n]), "%s native %d", sums.sha256,
                     (int) rp_model_precision(model).taken);
        else if (forms)
            snprintf(hex[n], sizeof(hex[n]), "%s %d %d", sums.sha256, (int) rp_model_layout(model),
                     rp_model_deterministic(model));
    }
    qsort(hex, (size_t) n, sizeof(*hex), compare);
    for (int i = 0; i < n; i++)
        fprintf(to, "%s\n", hex[i]);
    free(hex);
    return 0;
}

enum part { OPTIONS, SOURCES, MODELS, FORMS };

static int hash_of(const struct rp_job *job, enum part part, const char *voice,
                   char hex[RP_SHA256_HEX])
{
    char *text = NULL;
    size_t size = 0;
    struct sums s = {job->settings, open_memstream(&text, &size), 0};

    if (!s.to)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (part == OPTIONS)
        rp_settings_each(job->settings, write_option, &s);
    else if (part == SOURCES)
        rp_option_files(job->settings, write_file, &s);
    else
        s.ret = write_models(job->pipeline, part == FORMS, s.to);
    if (part == MODELS && voice[0])
        fprintf(s.to, "voice %s\n", voice);
    if ((ferror(s.to) | fclose(s.to)) && s.ret >= 0)
        s.ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    if (s.ret >= 0)
        s.ret = rp_sha256_data(text, size, hex);
    free(text);
    return s.ret;
}

/* The version of ONNX Runtime, if it runs any of the networks. */
static const char *runtime_of(const struct rp_pipeline *p, struct rp_engine *engine)
{
    return rp_pool_is_native(p->pool) ? "none" : rp_engine_version(engine);
}

/* All that is known to change bytes and is not the same everywhere: libraries choose their code by
 * the processor, and networks are run by a GPU's drivers in the form that was measured. */
static int write_machine(const struct rp_job *job, char *text, size_t size)
{
    struct rp_engine *engine;
    char cpu[128], media[128], forms[RP_SHA256_HEX];
    const struct rp_device *const d = job->pipeline->device;

    RP_CHECK(rp_runtime_engine(job->runtime, &engine));
    rp_cpu_kind(cpu, sizeof(cpu));
    rp_media_versions(media, sizeof(media));
    snprintf(text, size, "%s, ONNX Runtime %s, %s", cpu, runtime_of(job->pipeline, engine),
             media);
    if (!d->fns->one_thread)
        return 0;
    RP_CHECK(hash_of(job, FORMS, "", forms));
    const size_t n = strlen(text);
    snprintf(text + n, size - n, ", %.90s %.90s, forms %.8s", d->title, d->version, forms);
    return 0;
}

/* What is known of a job only with its models open, or by who had them. */
static int take_models(const struct rp_job *job, const char *voice, struct rp_journal_head *head)
{
    const struct rp_pipeline *const p = job->pipeline;

    if (job->facts) {
        memcpy(head->models, job->facts->models, sizeof(head->models));
        memcpy(head->device, job->facts->device, sizeof(head->device));
        head->lockstep = job->facts->lockstep;
        return 0;
    }
    snprintf(head->device, sizeof(head->device), "%s", p->device->fns->one_thread ? "gpu" : "cpu");
    head->lockstep = rp_plan_frames(&p->plan);
    return hash_of(job, MODELS, voice, head->models);
}

int rp_job_head(const struct rp_job *job, int64_t piece, const char *voice,
                struct rp_journal_head *head)
{
    const struct rp_range part = rp_frame_range(job->settings);

    *head = (struct rp_journal_head){
        .first = part.start, .end = part.ends ? part.end : 0, .piece = piece};
    snprintf(head->program, sizeof(head->program), "reprise %s %s", rp_version(), RP_COMMIT);
    RP_CHECK(take_models(job, voice, head));
    RP_CHECK(write_machine(job, head->machine, sizeof(head->machine)));
    RP_CHECK(hash_of(job, OPTIONS, "", head->options));
    RP_CHECK(hash_of(job, SOURCES, "", head->sources));
    return rp_sha256_file(job->target, head->target);
}
