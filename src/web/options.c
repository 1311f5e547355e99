/* Which options there are for clients, and what the command line has set. */
#include "web/server.h"

static bool is_one_of(const char *const *list, const char *name)
{
    while (*list && strcmp(*list, name) != 0)
        list++;
    return *list != NULL;
}

/* What a job does is the client's; where and with what it runs is the server's. */
bool web_option_is_settable(const rp_option_info *info)
{
    static const char *const groups[] = {"paths",    "execution",    "cuda_graph", "memory",
                                         "download", "misc",         "benchmark",  "uis",
                                         "patterns", "jobs",         "app",        "help",
                                         "workflow", "distribution", NULL};
    static const char *const names[] = {
        "face-map", "reference-face-paths", "frame", "resume", "segment", NULL};
    /* words that are no names of files */
    static const char *const plain[] = {"WxH", "PERCENT...", "RGBA...", "N...", "R", "R G B", NULL};

    if (info->no_effect || is_one_of(groups, info->group) || is_one_of(names, info->name))
        return false;
    return info->is_flag || info->is_number || info->choices ||
           (info->meta && is_one_of(plain, info->meta));
}

const rp_option_info *web_option_find(const struct web_server *s, const char *name)
{
    for (int i = 0; i < s->params->n_table; i++)
        if (!strcmp(s->params->table[i].name, name))
            return &s->params->table[i];
    return NULL;
}

int web_options_base(struct web_server *s, rp_options **out)
{
    int ret = rp_options_create(out);

    for (int i = 0; ret >= 0 && i < s->params->n_table; i++) {
        const rp_option_info *const info = &s->params->table[i];
        char **words = NULL;

        if (!strcmp(info->group, "help") || !strcmp(info->group, "app") ||
            !rp_options_is_given(s->params->options, info->name))
            continue;
        const int n = rp_options_get_words(s->params->options, info->name, &words);
        ret = n < 0 ? n
                    : rp_options_set_words(*out, info->name, info->is_flag ? 0 : n,
                                           (const char *const *) words);
        rp_free(words);
    }
    return ret;
}
