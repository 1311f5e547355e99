#include "pipeline/key.h"

#include <sys/stat.h>

#include "pipeline/options.h"

struct writer {
    const struct rp_settings *settings;
    FILE *to;
    bool sources; /* the sources count, too */
    int ret;      /* of the first failure */
};

/* Not if it is of a group that decides only what happens before and after the work on frames. */
static bool is_of_pipeline(const struct rp_opt_group *group, const struct rp_opt *opt)
{
    const struct rp_opt_group *const others[] = {&rp_trim_group, &rp_output_group,
                                                 &rp_benchmark_group, &rp_misc_group};

    for (size_t i = 0; i < RP_ARRAY_LEN(others); i++)
        if (group == others[i])
            return false;
    if (opt->no_effect)
        return false;
    return group != &rp_path_group || !strcmp(opt->name, "source-paths");
}

static void write_option(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt)
{
    struct writer *const w = priv;

    if (!is_of_pipeline(group, opt) || !rp_settings_is_set(w->settings, opt->name) ||
        (group == &rp_path_group && !w->sources))
        return;
    char *text;
    rp_log_hold(true); /* without a key the work is done anew */
    if (rp_settings_get_text(w->settings, opt->name, &text) < 0)
        w->ret = RP_ERR_NOMEM;
    rp_log_hold(false);
    fprintf(w->to, "%s = %s\n", opt->name, text ? text : "");
    free(text);
}

/* A file that changed counts as another file. */
static void write_state(FILE *to, const char *path)
{
    struct stat st;

    if (!stat(path, &st))
        fprintf(to, "%s: %llu %lld %lld.%09ld\n", path, (unsigned long long) st.st_ino,
                (long long) st.st_size, (long long) st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void write_file(void *priv, const struct rp_opt_group *group, const struct rp_opt *opt,
                       const char *path)
{
    const struct writer *const w = priv;

    if (is_of_pipeline(group, opt))
        write_state(w->to, path);
}

static char *write_key(const struct rp_settings *settings, bool files, const char *models,
                       const char *more)
{
    char *text = NULL;
    size_t size = 0;
    struct writer w = {settings, open_memstream(&text, &size), files, 0};

    if (!w.to)
        return NULL;
    fprintf(w.to, "%s\n", more);
    rp_settings_each(settings, write_option, &w);
    if (files)
        rp_option_files(settings, write_file, &w);
    write_state(w.to, models);
    const bool bad = ferror(w.to) || w.ret < 0;
    if (fclose(w.to) || bad) {
        free(text);
        return NULL;
    }
    return text;
}

char *rp_pipeline_key(const struct rp_settings *settings, const char *models, const char *more)
{
    return write_key(settings, true, models, more);
}

char *rp_pipeline_kind(const struct rp_settings *settings, const char *models, const char *more)
{
    return write_key(settings, false, models, more);
}
