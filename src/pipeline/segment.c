#include "pipeline/segment.h"

#include <ctype.h>

/* A whole number without sign or blanks. */
static bool read_number(const char *text, int64_t *value)
{
    char *end;

    if (!isdigit((unsigned char) *text) || strlen(text) > 10)
        return false;
    *value = strtoll(text, &end, 10);
    return !*end;
}

/* ---- what the environment says --------------------------------------------------------------- */

/* The share is (number - least) / step of count. */
static const struct scheme {
    const char *who, *number, *count[2], *least, *step;
} schemes[] = {
    {"Slurm",
     "SLURM_ARRAY_TASK_ID",
     {"SLURM_ARRAY_TASK_COUNT"},
     "SLURM_ARRAY_TASK_MIN",
     "SLURM_ARRAY_TASK_STEP"},
    {"Open MPI", "OMPI_COMM_WORLD_RANK", {"OMPI_COMM_WORLD_SIZE"}, NULL, NULL},
    {"Kubernetes", "JOB_COMPLETION_INDEX", {"JOB_COMPLETION_COUNT", "JOB_COMPLETIONS"}, NULL, NULL},
    {"AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", {"AWS_BATCH_JOB_ARRAY_SIZE"}, NULL, NULL},
};

/* @param missing  the value without such a variable; below 0: there must be one */
static int read_variable(const char *name, int64_t missing, rp_env_fn *env, int64_t *value)
{
    const char *const text = name ? env(name) : NULL;

    *value = missing;
    if (!text && missing >= 0)
        return 0;
    if (!text)
        return rp_fail(RP_ERR_USAGE,
                       "--segment: auto: there is no %s; set it, or give the segment "
                       "as 1/6",
                       name);
    return read_number(text, value) ? 0
                                    : rp_fail(RP_ERR_USAGE,
                                              "--segment: auto: %s is '%s', which is "
                                              "no whole number",
                                              name, text);
}

static int read_scheme(struct rp_segment *out, const struct scheme *s, rp_env_fn *env)
{
    int64_t number = 0, count = 0, least = 0, step = 1;
    const char *const name =
        s->count[1] && !env(s->count[0]) && env(s->count[1]) ? s->count[1] : s->count[0];

    RP_CHECK(read_variable(s->number, -1, env, &number));
    RP_CHECK(read_variable(name, -1, env, &count));
    RP_CHECK(read_variable(s->least, 0, env, &least));
    RP_CHECK(read_variable(s->step, 1, env, &step));
    if (step < 1 || number < least || (number - least) % step || count < 1 ||
        count > RP_SEGMENT_MOST || (number - least) / step >= count)
        return rp_fail(RP_ERR_USAGE,
                       "--segment: auto: %s is %lld and %s %lld, which is not one of "
                       "so many in a row; give the segment as 1/6",
                       s->number, (long long) number, name, (long long) count);
    *out = (struct rp_segment){(int) ((number - least) / step), (int) count};
    return 0;
}

/* Of two that both have more than one share nobody knows which is meant. */
static int read_environment(struct rp_segment *out, rp_env_fn *env)
{
    const char *who = NULL;

    for (size_t i = 0; i < RP_ARRAY_LEN(schemes); i++) {
        struct rp_segment found = {0};

        if (!env(schemes[i].number))
            continue;
        RP_CHECK(read_scheme(&found, &schemes[i], env));
        if (who && found.count > 1 && out->count > 1)
            return rp_fail(RP_ERR_USAGE,
                           "--segment: auto: this is a part both for %s and for %s; "
                           "give the segment as 1/6",
                           who, schemes[i].who);
        if (!who || found.count > 1) {
            who = schemes[i].who;
            *out = found;
        }
    }
    return who ? 0
               : rp_fail(RP_ERR_USAGE,
                         "--segment: auto: this is no array of Slurm or AWS "
                         "Batch, no rank of Open MPI and no indexed Job of Kubernetes; give "
                         "the segment as 1/6");
}

/* ---- by hand --------------------------------------------------------------------------------- */

int rp_segment_parse(struct rp_segment *out, const char *text, rp_env_fn *env)
{
    int64_t number = 0, count = 0;
    char first[16];

    *out = (struct rp_segment){0};
    if (!text)
        return 0;
    if (!strcmp(text, "auto"))
        return read_environment(out, env);
    const char *const slash = strchr(text, '/');
    snprintf(first, sizeof(first), "%.*s", slash ? (int) RP_MIN(slash - text, 15) : 0, text);
    if (!slash || !read_number(first, &number) || !read_number(slash + 1, &count) || number < 1 ||
        count > RP_SEGMENT_MOST || number > count)
        return rp_fail(RP_ERR_USAGE,
                       "--segment: '%s' is neither auto nor a segment of so many, as "
                       "1/6 to 6/6",
                       text);
    *out = (struct rp_segment){(int) number - 1, (int) count};
    return 0;
}

void rp_segment_share(const struct rp_segment *s, int64_t pieces, int64_t *first, int64_t *end)
{
    const int64_t each = s->count ? pieces / s->count : 0, more = s->count ? pieces % s->count : 0;

    *first = s->count ? s->number * each + RP_MIN(s->number, more) : 0;
    *end = s->count ? *first + each + (s->number < more) : pieces;
}
