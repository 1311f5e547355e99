#include "app/job_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/job_file.h"

/* Keys that were given the very value that stands for "not given": for models and encoders the two
 * are not the same. FaceFusion does not look at it. */
static const char given_key[] = "reprise_given";

/* ---- what belongs where ---------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(word, *list))
            return true;
    return false;
}

bool job_is_of_command(const rp_option_info *o)
{
    static const char *const groups[] = {"execution", "cuda_graph", "download", "memory", "misc",
                                         "benchmark", "uis",        "patterns", NULL};
    static const char *const names[] = {"config-path", "models-path", "temp-path",
                                        "jobs-path",   "keep-temp",   NULL};

    return is_one_of(o->group, groups) || is_one_of(o->name, names);
}

/* The order of FaceFusion's keys; the processors' groups follow by name. */
static int place_of(const rp_option_info *o)
{
    static const char *const order[] = {"paths",           "face_detector",    "face_landmarker",
                                        "face_selector",   "face_tracker",     "face_masker",
                                        "voice_extractor", "frame_extraction", "frame_distribution",
                                        "output_creation", "workflow",         "processors"};
    const int n = (int) (sizeof(order) / sizeof(*order));

    for (int i = 0; i < n; i++)
        if (!strcmp(order[i], o->group))
            return i;
    return n;
}

struct collected {
    rp_option_info info;
    int number;
};

struct collector {
    struct collected *list;
    int n;
    bool failed;
};

static void collect(void *priv, const rp_option_info *info)
{
    struct collector *const c = priv;
    struct collected *grown;

    if (job_is_of_command(info) || c->failed)
        return;
    if (!(grown = realloc(c->list, (size_t) (c->n + 1) * sizeof(*grown)))) {
        c->failed = true;
        return;
    }
    c->list = grown;
    c->list[c->n] = (struct collected){*info, c->n};
    c->n++;
}

static int by_place(const void *a, const void *b)
{
    const struct collected *const x = a, *const y = b;
    const int before = place_of(&x->info) - place_of(&y->info);
    const int names = before ? 0 : strcmp(x->info.group, y->info.group);

    return before ? before : names ? names : x->number - y->number;
}

/* ---- defaults -------------------------------------------------------------------------------- */

/* "inswapper_128_fp16": "128x128"; NULL if the name has no size. */
static const char *size_of_model(const char *model, char out[24])
{
    const char *at = model ? strrchr(model, '_') : NULL;
    int side;

    for (; at && at > model; at--)
        if (*at == '_' && sscanf(at, "_%d", &side) == 1 && side >= 64 && side <= 4096) {
            snprintf(out, 24, "%dx%d", side, side);
            return out;
        }
    return NULL;
}

/* What FaceFusion writes for an option that is not given, where this program has no such default.
 */
static const char *their_default(const rp_option_info *o, const char *swapper, char room[24])
{
    static const char *const table[][2] = {
        {"face-detector-margin", "0 0 0 0"}, {"face-mask-padding", "0 0 0 0"},
        {"face-detector-size", "640x640"},   {"output-audio-encoder", "flac"},
        {"output-video-encoder", "libx264"}, {"temp-frame-format", "png"},
        {"temp-pixel-format", "bgr24"},      {"workflow-mode", "auto"},
        {"workflow-strategy", "memory"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (!strcmp(table[i][0], o->name))
            return table[i][1];
    if (o->def_text)
        return o->def_text;
    return strcmp(o->name, "face-swapper-pixel-boost") != 0 ? NULL : size_of_model(swapper, room);
}

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), k = strlen(end);

    return n >= k && !strcmp(name + n - k, end);
}

/* Does it matter whether its default was given or not? */
static bool is_asked_for(const rp_option_info *o)
{
    return ends_in(o->name, "-model") || ends_in(o->name, "-encoder");
}

/* ---- options to args ------------------------------------------------------------------------- */

static void key_of(const char *name, char key[64])
{
    snprintf(key, 64, "%s", name);
    for (char *at = key; (at = strchr(at, '-'));)
        *at = '_';
}

static json_t *json_of_word(const rp_option_info *o, const char *word)
{
    char *end;
    const double v = strtod(word, &end);
    const bool number = o->is_number || !strcmp(o->name, "face-detector-angles");

    if (o->is_flag)
        return json_boolean(!strcmp(word, "yes"));
    if (!number || *end || end == word || !isfinite(v))
        return json_string(word);
    return o->is_number && fabs(o->step - 1) > 1e-9 ? json_real(v) : json_integer((json_int_t) v);
}

static json_t *json_of_words(const rp_option_info *o, int n, char *const *words)
{
    json_t *list;

    if (n == 0)
        return json_null();
    if (n == 1 && (!o->is_list || !strcmp(o->name, "reference-frame-number")))
        return json_of_word(o, words[0]);
    list = json_array();
    for (int i = 0; i < n; i++)
        if (json_array_append_new(list, json_of_word(o, words[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* The words of a default, in the room of one text. */
static int split(char *text, char *words[JOB_WORDS_MAX])
{
    int n = 0;
    char *state = NULL;

    for (char *w = strtok_r(text, " ", &state); w && n < JOB_WORDS_MAX;
         w = strtok_r(NULL, " ", &state))
        words[n++] = w;
    return n;
}

static json_t *json_of_default(const rp_option_info *o, const char *text)
{
    char copy[512], *words[JOB_WORDS_MAX];

    if (!text)
        return json_null();
    snprintf(copy, sizeof(copy), "%s", text);
    return json_of_words(o, split(copy, words), words);
}

static bool put_option(json_t *args, json_t *named, const rp_options *options,
                       const rp_option_info *o, const char *swapper)
{
    char key[64], room[24], **words = NULL;
    const bool given = rp_options_is_given(options, o->name);
    const char *const usual = their_default(o, swapper, room);
    const int n = given ? rp_options_get_words(options, o->name, &words) : 0;
    json_t *const normal = json_of_default(o, usual);
    json_t *const value = n > 0 ? json_of_words(o, n, words) : n < 0 ? NULL : json_incref(normal);
    bool ok = value && normal;

    if (n > 0 && !ok)
        app_log(RP_LOG_ERROR, "--%s: '%s' is not UTF-8, which the file of a job must be", o->name,
                words[0]);
    rp_free(words);
    key_of(o->name, key);
    if (ok && (!o->is_ours || !json_equal(value, normal)))
        ok = !json_object_set(args, key, value);
    if (ok && n > 0 && is_asked_for(o) && json_equal(value, normal))
        ok = !json_array_append_new(named, json_string(key));
    json_decref(normal);
    json_decref(value);
    return ok;
}

json_t *job_args_of(const rp_options *options)
{
    struct collector c = {0};
    json_t *args = json_object(), *const named = json_array();
    char *swapper = rp_options_text(options, "face-swapper-model");

    rp_options_each(options, collect, &c);
    if (c.n > 0)
        qsort(c.list, (size_t) c.n, sizeof(*c.list), by_place);
    bool ok = args && named && !c.failed;
    for (int i = 0; ok && i < c.n; i++)
        ok = put_option(args, named, options, &c.list[i].info, swapper);
    if (ok && json_array_size(named))
        ok = !json_object_set(args, given_key, named);
    json_decref(named);
    if (!ok) {
        if (!app_error_said())
            app_log(RP_LOG_ERROR, "out of memory");
        json_decref(args);
        args = NULL;
    }
    rp_free(swapper);
    free(c.list);
    return args;
}

/* ---- args to options ------------------------------------------------------------------------- */

/* A number or a truth as a word. */
#define NUMBER_SIZE 32
static const char *word_of(const json_t *v, char room[NUMBER_SIZE])
{
    if (json_is_string(v))
        return json_string_value(v);
    if (json_is_boolean(v))
        return json_is_true(v) ? "yes" : "no";
    if (json_is_integer(v))
        snprintf(room, NUMBER_SIZE, "%lld", (long long) json_integer_value(v));
    else
        snprintf(room, NUMBER_SIZE, "%.10g", json_real_value(v));
    return room;
}

static bool is_in_list(const json_t *list, const char *word)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (json_is_string(one) &&
                                         !strcmp(json_string_value(one), word)) return true;
    return false;
}

/* Equal as numbers too: 0 and 0.0. */
static bool is_same(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return fabs(json_number_value(a) - json_number_value(b)) < 1e-9;
    return json_equal(a, b);
}

static int set_flag(rp_options *options, const rp_option_info *o, const json_t *v)
{
    if (!json_is_boolean(v)) {
        app_log(RP_LOG_ERROR, "--%s: takes no value; true or false is meant", o->name);
        return RP_ERR_USAGE;
    }
    return json_is_true(v) ? rp_options_set_words(options, o->name, 0, NULL) : RP_OK;
}

static int set_option(rp_options *options, const rp_option_info *o, const json_t *v)
{
    const char *words[JOB_WORDS_MAX];
    char room[JOB_WORDS_MAX][NUMBER_SIZE];
    const size_t n = json_is_array(v) ? json_array_size(v) : 1;

    if (o->is_flag)
        return set_flag(options, o, v);
    for (size_t i = 0; i < n && i < JOB_WORDS_MAX; i++)
        words[i] = word_of(json_is_array(v) ? json_array_get(v, i) : v, room[i]);
    return n ? rp_options_set_words(options, o->name, (int) n, words) : RP_OK;
}

int job_args_apply(const json_t *args, rp_options *options)
{
    const json_t *const given = json_object_get(args, given_key), *v;
    const char *const swapper = json_string_value(json_object_get(args, "face_swapper_model"));
    const char *key;
    int ret = RP_OK;

    json_object_foreach((json_t *) args, key, v)
    {
        rp_option_info o;
        char room[24];

        if (json_is_null(v) || !strcmp(key, given_key))
            continue;
        if (strlen(key) > 60 || !strpbrk(key, "abcdefghijklmnopqrstuvwxyz") ||
            rp_options_find(options, key, &o) < 0) {
            app_log(RP_LOG_ERROR, "the step's '%.60s' is no option", key);
            return RP_ERR_USAGE;
        }
        if (job_is_of_command(&o)) {
            app_log(RP_LOG_DEBUG, "--%s is the running command's; the step's is not used", o.name);
            continue;
        }
        json_t *const usual = json_of_default(&o, their_default(&o, swapper, room));
        const bool skip = is_same(v, usual) && !is_in_list(given, key);

        json_decref(usual);
        if (!skip && (ret = set_option(options, &o, v)) < 0)
            return ret;
    }
    return RP_OK;
}

struct applier {
    const rp_options *from;
    rp_options *to;
    int ret;
};

static void apply_one(void *priv, const rp_option_info *info)
{
    struct applier *const a = priv;
    char **words;

    if (a->ret < 0 || !job_is_of_command(info) || !rp_options_is_given(a->from, info->name))
        return;
    const int n = rp_options_get_words(a->from, info->name, &words);
    if (n < 0)
        a->ret = n;
    else if (info->is_flag && !strcmp(words[0], "yes"))
        a->ret = rp_options_set_words(a->to, info->name, 0, NULL);
    else if (!info->is_flag && n > 0)
        a->ret = rp_options_set_words(a->to, info->name, n, (const char *const *) words);
    rp_free(words);
}

int job_command_apply(const rp_options *command, rp_options *options)
{
    struct applier a = {.from = command, .to = options};

    rp_options_each(options, apply_one, &a);
    return a.ret;
}
