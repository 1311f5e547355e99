/* The settings: one entry per option of every group, found by name, set and read. */
#include "base/option_impl.h"

#include <limits.h>

/* ---- finding ------------------------------------------------------------------------------- */

static struct rp_entry *find_exact(const struct rp_settings *s, const char *name)
{
    for (int i = 0; i < s->n; i++)
        if (rp_opt_name_is(s->entries[i].opt->name, name))
            return &s->entries[i];
    return NULL;
}

static const struct rp_opt_former *find_former(const struct rp_settings *s, const char *name)
{
    const struct rp_opt_former *f = NULL;

    for (int i = 0; i < s->n_groups && !f; i++)
        f = rp_opt_former(s->groups[i], name);
    return f;
}

/* The last whose name begins so, and how many there are. */
static struct rp_entry *find_beginning(const struct rp_settings *s, const char *name, bool ours,
                                       int *n)
{
    struct rp_entry *found = NULL;

    for (int i = 0; i < s->n; i++) {
        struct rp_entry *const e = &s->entries[i];
        if (e->opt->ours == ours && rp_opt_name_begins(e->opt->name, name)) {
            found = e;
            ++*n;
        }
    }
    return found;
}

/* A shortened name means what it means to FaceFusion, whatever options there are besides. */
static struct rp_entry *find_entry(const struct rp_settings *s, const char *name, bool *ambiguous)
{
    const struct rp_opt_former *const former = find_former(s, name);
    struct rp_entry *found = find_exact(s, former && former->now ? former->now : name);
    int n = found != NULL;

    if (!found && *name)
        found = find_beginning(s, name, false, &n);
    if (!found && *name)
        found = find_beginning(s, name, true, &n);
    if (ambiguous)
        *ambiguous = n > 1;
    return n > 1 ? NULL : found;
}

static int fail_ambiguous(const struct rp_settings *s, const char *name)
{
    const char *shown[3] = {NULL, NULL, NULL};
    size_t n = 0;

    for (int i = 0; i < s->n; i++) {
        if (!rp_opt_name_begins(s->entries[i].opt->name, name))
            continue;
        if (n < RP_ARRAY_LEN(shown))
            shown[n] = s->entries[i].opt->name;
        n++;
    }
    return rp_fail(RP_ERR_USAGE, "option --%s could be --%s%s--%s%s%s%s", name, shown[0],
                   n == 2 ? " or " : ", ", shown[1], n == 3 ? " or --" : n > 3 ? ", --" : "",
                   n >= 3 ? shown[2] : "", n > 3 ? " ..." : "");
}

static int fail_unknown(const struct rp_settings *s, const char *name)
{
    const char *nearest = NULL;
    int distance = INT_MAX;
    const struct rp_opt_former *const former = find_former(s, name);

    if (former)
        return rp_fail(RP_ERR_USAGE, "--%s is an option of earlier versions of FaceFusion; use %s",
                       name, former->instead);
    for (int i = 0; i < s->n; i++) {
        if (rp_opt_is_near(name, s->entries[i].opt->name, &distance))
            nearest = s->entries[i].opt->name;
    }
    if (nearest)
        return rp_fail(RP_ERR_USAGE, "unknown option --%s; did you mean --%s?", name, nearest);
    return rp_fail(RP_ERR_USAGE, "unknown option --%s", name);
}

/* ---- making -------------------------------------------------------------------------------- */

static bool table_is_sound(const struct rp_opt_group *group, const struct rp_opt *opt)
{
    const size_t size = rp_opt_value_size(opt->type);
    const bool needs_choices = opt->type == RP_OPT_CHOICE || opt->type == RP_OPT_CHOICES;

    return *opt->name && size && opt->offset <= group->size && size <= group->size - opt->offset &&
           opt->min <= opt->max && opt->step >= 0 && (!needs_choices || rp_opt_choices(opt));
}

static int set_default(struct rp_entry *entry)
{
    int ret = 0;

    if (entry->opt->def_text) {
        char *const label = rp_asprintf("default of --%s", entry->opt->name);
        ret = label ? rp_entry_set_text(entry, label, entry->opt->def_text)
                    : rp_fail(RP_ERR_NOMEM, "options: out of memory");
        free(label);
    }
    entry->given = false;
    return ret;
}

/* Names are compared only where their sums meet. */
static bool is_there(struct rp_settings *s, const char *name)
{
    uint32_t sum = 0;

    for (const char *c = name; *c; c++)
        sum = sum * 31 + (unsigned char) (*c == '_' ? '-' : *c);
    uint64_t *const word = &s->sums[sum / 64 % RP_ARRAY_LEN(s->sums)];
    const uint64_t bit = UINT64_C(1) << sum % 64;
    const bool may_be = *word & bit;
    *word |= bit;
    for (int i = 0; may_be && i < s->n; i++)
        if (rp_opt_name_is(s->entries[i].opt->name, name))
            return true;
    return false;
}

static int add_entry(struct rp_settings *s, const struct rp_opt_group *group, void *values,
                     const struct rp_opt *opt)
{
    struct rp_entry *const entry = &s->entries[s->n];

    if (!table_is_sound(group, opt))
        return rp_fail(RP_ERR_INVALID, "the table of --%s is wrong", opt->name);
    if (is_there(s, opt->name))
        return rp_fail(RP_ERR_INVALID, "there are two options --%s", opt->name);
    *entry = (struct rp_entry){
        .opt = opt, .group = group, .at = (char *) values + opt->offset,
        .has_value = opt->type == RP_OPT_FLAG};
    s->n++;
    rp_opt_clear(opt, entry->at);
    return set_default(entry);
}

static int add_group(struct rp_settings *s, const struct rp_opt_group *group)
{
    int ret = 0;
    void *const values = calloc(1, RP_MAX(group->size, 1));

    if (!values)
        return rp_fail(RP_ERR_NOMEM, "options: out of memory");
    s->values[s->n_groups++] = values;
    for (const struct rp_opt *opt = group->opts; opt->name && !ret; opt++)
        ret = add_entry(s, group, values, opt);
    return ret;
}

int rp_settings_create(struct rp_settings **out, const struct rp_opt_group *const *groups)
{
    int ret = 0;
    size_t n_groups = 0, n = 0;
    struct rp_settings *const s = *out = calloc(1, sizeof(*s));

    if (!s)
        return rp_fail(RP_ERR_NOMEM, "options: out of memory");
    for (; groups[n_groups]; n_groups++) {
        for (const struct rp_opt *opt = groups[n_groups]->opts; opt->name; opt++)
            n++;
    }
    s->groups = groups;
    s->values = calloc(n_groups + 1, sizeof(*s->values));
    s->entries = calloc(n + 1, sizeof(*s->entries));
    if (!s->values || !s->entries) {
        ret = rp_fail(RP_ERR_NOMEM, "options: out of memory");
        goto fail;
    }
    for (size_t i = 0; i < n_groups; i++)
        RP_TRY(add_group(s, groups[i]));
    return 0;

fail:
    rp_settings_destroy(out);
    return ret;
}

/* Also for settings that were only partly made. */
void rp_settings_destroy(struct rp_settings **settings)
{
    struct rp_settings *const s = *settings;

    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        rp_opt_clear(s->entries[i].opt, s->entries[i].at);
    for (int i = 0; i < s->n_groups; i++)
        free(s->values[i]);
    free(s->entries);
    free(s->values);
    free(s);
    *settings = NULL;
}

int rp_settings_copy(struct rp_settings **out, const struct rp_settings *from)
{
    int ret;

    RP_TRY(rp_settings_create(out, from->groups));
    for (int i = 0; i < from->n; i++) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): they are made
        struct rp_entry *const to = &(*out)->entries[i];

        rp_opt_clear(to->opt, to->at);
        RP_TRY(rp_opt_copy(to->opt, to->at, from->entries[i].at));
        to->has_value = from->entries[i].has_value;
        to->given = from->entries[i].given;
    }
    return 0;

fail:
    rp_settings_destroy(out);
    return ret;
}

/* ---- reading ------------------------------------------------------------------------------- */

const void *rp_settings_get(const struct rp_settings *settings, const struct rp_opt_group *group)
{
    for (int i = 0; i < settings->n_groups; i++) {
        if (settings->groups[i] == group)
            return settings->values[i];
    }
    return NULL;
}

bool rp_settings_is_set(const struct rp_settings *settings, const char *name)
{
    const struct rp_entry *const e = find_entry(settings, name, NULL);

    return e && e->given;
}

const struct rp_opt *rp_settings_find(const struct rp_settings *settings, const char *name,
                                      bool *ambiguous)
{
    const struct rp_entry *const e = find_entry(settings, name, ambiguous);

    return e ? e->opt : NULL;
}

int rp_settings_get_text(const struct rp_settings *settings, const char *name, char **text)
{
    const struct rp_entry *const e = find_entry(settings, name, NULL);

    *text = NULL;
    if (!e || !e->has_value || rp_opt_is_empty(e->opt, e->at))
        return 0;
    *text = rp_opt_text(e->opt, e->at);
    return *text ? 0 : rp_fail(RP_ERR_NOMEM, "--%s: out of memory", e->opt->name);
}

/* Copies of n words in one block. */
static char **copy_words(int n, const char *const *from)
{
    size_t size = ((size_t) n + 1) * sizeof(char *);

    for (int i = 0; i < n; i++)
        size += strlen(from[i]) + 1;
    char **const words = malloc(size);
    char *at = words ? (char *) (words + n + 1) : NULL;
    for (int i = 0; words && i < n; i++) {
        const size_t bytes = strlen(from[i]) + 1;

        words[i] = memcpy(at, from[i], bytes);
        at += bytes;
    }
    if (words)
        words[n] = NULL;
    return words;
}

int rp_settings_get_words(const struct rp_settings *settings, const char *name, char ***words)
{
    int n = 0;
    char *text, *state = NULL;
    const char *list[RP_OPT_MAX_LIST + 1] = {0};
    const struct rp_entry *const e = find_entry(settings, name, NULL);

    *words = NULL;
    if (e && e->opt->type == RP_OPT_STRINGS) {
        const struct rp_opt_strings *const strings = e->at;

        if (strings->n)
            *words = copy_words(strings->n, (const char *const *) strings->v);
        return !strings->n || *words ? strings->n
                                     : rp_fail(RP_ERR_NOMEM, "--%s: out of memory", e->opt->name);
    }
    RP_CHECK(rp_settings_get_text(settings, name, &text));
    if (!e || !text)
        return 0; /* without an entry there was a failure before */
    if (rp_opt_is_list(e->opt->type))
        for (char *w = strtok_r(text, " ", &state); w && n < RP_OPT_MAX_LIST;
             w = strtok_r(NULL, " ", &state))
            list[n++] = w;
    else
        list[n++] = text;
    *words = copy_words(n, list);
    free(text);
    return *words ? n : rp_fail(RP_ERR_NOMEM, "--%s: out of memory", e->opt->name);
}

char *rp_settings_text(const struct rp_settings *settings, const char *name)
{
    char *text;

    return rp_settings_get_text(settings, name, &text) < 0 ? NULL : text;
}

void rp_settings_each(const struct rp_settings *settings,
                      void (*fn)(void *priv, const struct rp_opt_group *, const struct rp_opt *),
                      void *priv)
{
    for (int i = 0; i < settings->n; i++)
        fn(priv, settings->entries[i].group, settings->entries[i].opt);
}

/* ---- setting ------------------------------------------------------------------------------- */

/* The words may be strings of the old value, which is therefore freed only after the new one is
 * made. */
int rp_entry_set(struct rp_entry *entry, const char *label, int n, const char *const *words)
{
    union rp_opt_value v;
    const int ret = rp_opt_parse(entry->opt, label, n, words, &v);

    if (ret < 0)
        return ret;
    rp_opt_clear(entry->opt, entry->at);
    memcpy(entry->at, &v, rp_opt_value_size(entry->opt->type));
    entry->has_value = entry->given = true;
    return 0;
}

static const char blanks[] = " \t\r\n\v\f";

/* Split a copy of the text into words. The caller frees both. */
static int split(const char *text, char **copy, const char ***words, int *n)
{
    char *state = NULL;

    *n = 0;
    *copy = strdup(text);
    *words = malloc((strlen(text) / 2 + 1) * sizeof(**words)); /* a word takes at least 2 bytes */
    if (!*copy || !*words)
        return RP_ERR_NOMEM;
    for (char *w = strtok_r(*copy, blanks, &state); w; w = strtok_r(NULL, blanks, &state))
        (*words)[(*n)++] = w;
    return 0;
}

static int set_list_text(struct rp_entry *entry, const char *label, const char *text)
{
    char *copy;
    const char **words;
    int n;
    int ret = split(text, &copy, &words, &n);

    if (ret < 0)
        rp_fail(ret, "%s: out of memory", label);
    else
        ret = rp_entry_set(entry, label, n, words);
    free(words);
    free(copy);
    return ret;
}

int rp_entry_set_text(struct rp_entry *entry, const char *label, const char *text)
{
    if (!text)
        return rp_entry_set(entry, label, 0, NULL);
    if (rp_opt_is_list(entry->opt->type))
        return set_list_text(entry, label, text);

    const char *const first = text + strspn(text, blanks);
    size_t len = strlen(first);
    while (len && strchr(blanks, first[len - 1]))
        len--;
    char *const word = strndup(first, len);
    if (!word)
        return rp_fail(RP_ERR_NOMEM, "%s: out of memory", label);
    const int ret = rp_entry_set(entry, label, 1, &(const char *const){word});
    free(word);
    return ret;
}

/* The entry, and "--its-name" for messages, which the caller frees. */
static int find_to_set(const struct rp_settings *s, const char *name, struct rp_entry **entry,
                       char **label)
{
    bool ambiguous;

    *label = NULL;
    *entry = find_entry(s, name, &ambiguous);
    if (ambiguous)
        return fail_ambiguous(s, name);
    if (!*entry)
        return fail_unknown(s, name);
    *label = rp_asprintf("--%s", (*entry)->opt->name);
    return *label ? 0 : rp_fail(RP_ERR_NOMEM, "--%s: out of memory", name);
}

int rp_settings_set(struct rp_settings *settings, const char *name, int n,
                    const char *const *words)
{
    struct rp_entry *entry;
    char *label;
    int ret = find_to_set(settings, name, &entry, &label);

    if (!ret)
        ret = rp_entry_set(entry, label, n, words);
    free(label);
    return ret;
}

int rp_settings_set_text(struct rp_settings *settings, const char *name, const char *text)
{
    struct rp_entry *entry;
    char *label;
    int ret = find_to_set(settings, name, &entry, &label);

    if (!ret)
        ret = rp_entry_set_text(entry, label, text);
    free(label);
    return ret;
}
