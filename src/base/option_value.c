/* One value: read from words, written as text, freed. All messages about values are made here.
 *
 * Numbers are read and written as in the C locale: a program that uses this library may have set a
 * locale with a decimal comma. */
#include "base/option_impl.h"

#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>

enum {
    MAX_SIDE = 32768,       /* of a SIZE; no picture is larger */
    MAX_SHOWN_CHOICES = 24, /* longer lists are left to --help */
    NUMBER_TEXT = 48,       /* bytes of a formatted number */
};

static const double grid_tolerance = 1e-6;

/* ---- numbers ------------------------------------------------------------------------------- */

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
}

/* 0 when out of memory; the current locale is used then. */
static locale_t get_c_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_c_locale);
    return c_locale;
}

/* @param decimals  negative: as many as are needed to read back the same number */
static void format_number(char text[NUMBER_TEXT], double v, int decimals)
{
    const locale_t old = uselocale(get_c_locale());

    if (decimals >= 0) {
        if (fabs(v) < 0.5 * pow(10, -decimals))
            v = 0; /* not "-0.00" */
        snprintf(text, NUMBER_TEXT, "%.*f", decimals, v);
    } else {
        for (int precision = 6; precision <= 17; precision++) {
            snprintf(text, NUMBER_TEXT, "%.*g", precision, v);
            if (strtod(text, NULL) == v)
                break;
        }
    }
    uselocale(old);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The whole word must be a decimal number. One that is too large becomes the largest, which no
 * range accepts. */
static bool read_int(const char *word, long long *v)
{
    const char *const first = word + (*word == '-' || *word == '+');
    char *end;

    if (!is_digit(*first))
        return false;
    *v = strtoll(word, &end, 10);
    return !*end;
}

static bool read_double(const char *word, double *v)
{
    const locale_t locale = get_c_locale();
    char *end;

    if (!*word || word[strspn(word, "0123456789+-.eE")]) /* no inf, nan, hexadecimal, blanks */
        return false;
    *v = locale ? strtod_l(word, &end, locale) : strtod(word, &end);
    return end != word && !*end && isfinite(*v);
}

/* "512", "64K", "2g" */
static bool read_bytes(const char *word, int64_t *v)
{
    static const char units[] = "KMGT";
    char *end;

    if (!is_digit(*word))
        return false;
    errno = 0;
    *v = strtoll(word, &end, 10);
    if (errno)
        return false;
    if (*end) {
        const char upper = (char) (*end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end);
        const char *const unit = strchr(units, upper);
        if (!unit || end[1])
            return false;
        if (__builtin_mul_overflow(*v, (int64_t) 1 << 10 * (unit - units + 1), v))
            return false;
    }
    return true;
}

static void format_bytes(char text[NUMBER_TEXT], int64_t v)
{
    static const char *const units[] = {"", "K", "M", "G", "T"};
    size_t unit = 0;

    while (v && v % 1024 == 0 && unit + 1 < RP_ARRAY_LEN(units)) {
        v /= 1024;
        unit++;
    }
    snprintf(text, NUMBER_TEXT, "%lld%s", (long long) v, units[unit]);
}

static bool is_limited(const struct rp_opt *opt)
{
    return opt->min != 0 || opt->max != 0;
}

static bool is_whole(double v)
{
    return fabs(v - round(v)) < 1e-9 * RP_MAX(1, fabs(v));
}

/* How many decimals the option's steps need; negative if it has no steps. */
static int decimals_of(const struct rp_opt *opt)
{
    if (opt->type != RP_OPT_FLOAT)
        return 0;
    if (opt->step <= 0)
        return -1;
    for (int d = 0; d < 9; d++) {
        if (is_whole(opt->step * pow(10, d)) && is_whole(opt->min * pow(10, d)))
            return d;
    }
    return 9;
}

static int fail_range(const struct rp_opt *opt, const char *label, const char *word)
{
    char min[NUMBER_TEXT], max[NUMBER_TEXT];

    if (opt->type == RP_OPT_BYTES) {
        format_bytes(min, (int64_t) opt->min);
        format_bytes(max, (int64_t) opt->max);
    } else {
        format_number(min, is_limited(opt) ? opt->min : INT_MIN, decimals_of(opt));
        format_number(max, is_limited(opt) ? opt->max : INT_MAX, decimals_of(opt));
    }
    return rp_fail(RP_ERR_USAGE, "%s: %s is outside %s to %s", label, word, min, max);
}

static int fail_step(const struct rp_opt *opt, const char *label, const char *word)
{
    char min[NUMBER_TEXT], max[NUMBER_TEXT], step[NUMBER_TEXT];

    format_number(min, opt->min, decimals_of(opt));
    format_number(max, opt->max, decimals_of(opt));
    format_number(step, opt->step, decimals_of(opt));
    return rp_fail(RP_ERR_USAGE, "%s: '%s' must be %s to %s in steps of %s", label, word, min, max,
                   step);
}

static int parse_int(const struct rp_opt *opt, const char *label, const char *word, int *out)
{
    const double min = is_limited(opt) ? opt->min : INT_MIN;
    const double max = is_limited(opt) ? opt->max : INT_MAX;
    long long v;

    if (!read_int(word, &v))
        return rp_fail(RP_ERR_USAGE, "%s: '%s' is not a whole number", label, word);
    if ((double) v < min || (double) v > max)
        return fail_range(opt, label, word);
    if (opt->step > 1 && fmod((double) v - opt->min, opt->step) != 0)
        return fail_step(opt, label, word);
    *out = (int) v;
    return 0;
}

/* The value of step k, read back from its decimal text, so that 0.3 is 0.3 and not 6 * 0.05. */
static double snap(const struct rp_opt *opt, double k)
{
    char text[NUMBER_TEXT];
    double v = 0;

    format_number(text, opt->min + k * opt->step, decimals_of(opt));
    return read_double(text, &v) ? v : opt->min + k * opt->step;
}

static int parse_float(const struct rp_opt *opt, const char *label, const char *word, double *out)
{
    const double slack = opt->step > 0 ? grid_tolerance : 0;
    double v;

    if (!read_double(word, &v))
        return rp_fail(RP_ERR_USAGE, "%s: '%s' is not a number", label, word);
    if (is_limited(opt) && (v < opt->min - slack || v > opt->max + slack))
        return fail_range(opt, label, word);
    if (opt->step > 0) {
        const double k = round((v - opt->min) / opt->step);
        if (fabs(v - (opt->min + k * opt->step)) > grid_tolerance)
            return fail_step(opt, label, word);
        v = snap(opt, k);
    }
    *out = v;
    return 0;
}

static int parse_bytes(const struct rp_opt *opt, const char *label, const char *word, int64_t *out)
{
    int64_t v;

    if (!read_bytes(word, &v))
        return rp_fail(RP_ERR_USAGE, "%s: '%s' is not a size in bytes such as 512M or 2G", label,
                       word);
    if (is_limited(opt) && ((double) v < opt->min || (double) v > opt->max))
        return fail_range(opt, label, word);
    *out = v;
    return 0;
}

/* ---- choices ------------------------------------------------------------------------------- */

const char *const *rp_opt_choices(const struct rp_opt *opt)
{
    return opt->choices_fn ? opt->choices_fn() : opt->choices;
}

static char *join(const char *const *words, int n, const char *separator)
{
    size_t size = 1;

    for (int i = 0; i < n; i++)
        size += strlen(words[i]) + strlen(separator);
    char *const text = malloc(size), *end = text;
    if (!text)
        return NULL;
    *end = '\0';
    for (int i = 0; i < n; i++) {
        if (i)
            end = stpcpy(end, separator);
        end = stpcpy(end, words[i]);
    }
    return text;
}

/* True, with the sentence, if FaceFusion has this choice. */
static bool fail_elsewhere(const struct rp_opt *opt, const char *label, const char *word,
                           const char *const *choices, int n)
{
    for (const struct rp_opt_elsewhere *e = opt->elsewhere; e && e->word; e++) {
        if (strcmp(e->word, word) != 0)
            continue;
        char *const list = n > MAX_SHOWN_CHOICES ? NULL : join(choices, n, ", ");
        rp_fail(RP_ERR_USAGE, "%s: '%s' is %s, which this program does not have%s%s", label, word,
                e->what, list ? "; choose among " : "", list ? list : "");
        free(list);
        return true;
    }
    return false;
}

static int fail_choice(const struct rp_opt *opt, const char *label, const char *word,
                       const char *const *choices)
{
    const char *const nearest = rp_opt_nearest(word, choices);
    int n = 0;

    if (rp_opt_is_list(opt->type) && strchr(word, ','))
        return rp_fail(RP_ERR_USAGE, "%s: '%s' is one word; put blanks between several", label,
                       word);
    while (choices[n])
        n++;
    if (fail_elsewhere(opt, label, word, choices, n))
        return RP_ERR_USAGE;
    if (n > MAX_SHOWN_CHOICES)
        return rp_fail(RP_ERR_USAGE, "%s: '%s' is not one of its %d choices%s%s%s", label, word, n,
                       nearest ? "; did you mean " : "", nearest ? nearest : "",
                       nearest ? "?" : "");

    char *const list = join(choices, n, ", ");
    rp_fail(RP_ERR_USAGE, "%s: '%s' is not one of %s%s%s%s", label, word,
            list ? list : "its choices", nearest ? "; did you mean " : "", nearest ? nearest : "",
            nearest ? "?" : "");
    free(list);
    return RP_ERR_USAGE;
}

static int parse_choice(const struct rp_opt *opt, const char *label, const char *word, int *out)
{
    const char *const *const choices = rp_opt_choices(opt);

    for (int i = 0; choices[i]; i++) {
        if (!strcmp(choices[i], word)) {
            *out = i;
            return 0;
        }
    }
    return fail_choice(opt, label, word, choices);
}

static bool read_size(const char *word, struct rp_opt_size *out)
{
    long long w, h;
    char *end;

    if (!is_digit(*word))
        return false;
    w = strtoll(word, &end, 10);
    if (*end != 'x' || !is_digit(end[1]))
        return false;
    h = strtoll(end + 1, &end, 10);
    if (*end || w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE)
        return false;
    *out = (struct rp_opt_size){(int) w, (int) h};
    return true;
}

static int parse_size(const struct rp_opt *opt, const char *label, const char *word,
                      struct rp_opt_size *out)
{
    const char *const *const choices = rp_opt_choices(opt);
    struct rp_opt_size v = {0}, choice;
    const bool readable = read_size(word, &v);

    if (!readable && !choices)
        return rp_fail(RP_ERR_USAGE, "%s: '%s' is not a size such as 640x480 (1 to %d each)", label,
                       word, MAX_SIDE);
    for (int i = 0; choices; i++) {
        if (!choices[i])
            return fail_choice(opt, label, word, choices);
        if (readable && read_size(choices[i], &choice) && v.w == choice.w && v.h == choice.h)
            break;
    }
    *out = v;
    return 0;
}

/* ---- flags and lists ----------------------------------------------------------------------- */

static int parse_flag(const char *label, const char *word, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < RP_ARRAY_LEN(yes); i++) {
        if (!strcasecmp(word, yes[i]) || !strcasecmp(word, no[i])) {
            *out = !strcasecmp(word, yes[i]);
            return 0;
        }
    }
    return rp_fail(RP_ERR_USAGE, "%s: '%s' is neither yes nor no", label, word);
}

static int parse_ints(const struct rp_opt *opt, const char *label, int n, const char *const *words,
                      struct rp_opt_ints *out)
{
    int ret = 0;
    const int most = opt->most ? opt->most : (int) RP_ARRAY_LEN(out->v);

    if (n > most)
        return rp_fail(RP_ERR_USAGE, "%s: %d numbers; at most %d are allowed", label, n, most);
    *out = (struct rp_opt_ints){.n = n};
    for (int i = 0; i < n && !ret; i++)
        ret = parse_int(opt, label, words[i], &out->v[i]);
    return ret;
}

static int parse_choices(const struct rp_opt *opt, const char *label, int n,
                         const char *const *words, struct rp_opt_choices *out)
{
    *out = (struct rp_opt_choices){0};
    for (int i = 0; i < n; i++) {
        int choice = 0;
        const int ret = parse_choice(opt, label, words[i], &choice);
        if (ret < 0)
            return ret;
        for (int j = 0; j < out->n; j++) {
            if (out->v[j] == choice)
                return rp_fail(RP_ERR_USAGE, "%s: '%s' is given twice", label, words[i]);
        }
        if (out->n == RP_OPT_MAX_LIST)
            return rp_fail(RP_ERR_USAGE, "%s: %d words; at most %d are allowed", label, n,
                           RP_OPT_MAX_LIST);
        out->v[out->n++] = choice;
    }
    return 0;
}

static int parse_string(const struct rp_opt *opt, const char *label, const char *word, char **out)
{
    const char *const *const choices = rp_opt_choices(opt);
    const size_t n = opt->beginning ? strlen(opt->beginning) : 0;
    int index, ret;

    if (choices && !(n && !strncmp(word, opt->beginning, n)) &&
        (ret = parse_choice(opt, label, word, &index)) < 0)
        return ret;
    *out = strdup(word);
    return *out ? 0 : rp_fail(RP_ERR_NOMEM, "%s: out of memory", label);
}

static void free_strings(struct rp_opt_strings *strings)
{
    for (int i = 0; strings->v && i < strings->n; i++)
        free(strings->v[i]);
    free(strings->v);
    *strings = (struct rp_opt_strings){0};
}

static int parse_strings(const char *label, int n, const char *const *words,
                         struct rp_opt_strings *out)
{
    *out = (struct rp_opt_strings){.n = n, .v = calloc((size_t) n, sizeof(*out->v))};
    for (int i = 0; i < n; i++) {
        if (out->v)
            out->v[i] = strdup(words[i]);
        if (!out->v || !out->v[i]) {
            free_strings(out);
            return rp_fail(RP_ERR_NOMEM, "%s: out of memory", label);
        }
    }
    return 0;
}

/* ---- any type ------------------------------------------------------------------------------ */

size_t rp_opt_value_size(enum rp_opt_type type)
{
    switch (type) {
    case RP_OPT_FLAG: return sizeof(bool);
    case RP_OPT_INT:
    case RP_OPT_CHOICE: return sizeof(int);
    case RP_OPT_FLOAT: return sizeof(double);
    case RP_OPT_STRING: return sizeof(char *);
    case RP_OPT_SIZE: return sizeof(struct rp_opt_size);
    case RP_OPT_STRINGS: return sizeof(struct rp_opt_strings);
    case RP_OPT_CHOICES: return sizeof(struct rp_opt_choices);
    case RP_OPT_INTS: return sizeof(struct rp_opt_ints);
    case RP_OPT_BYTES: return sizeof(int64_t);
    }
    return 0;
}

bool rp_opt_is_list(enum rp_opt_type type)
{
    return type == RP_OPT_STRINGS || type == RP_OPT_CHOICES || type == RP_OPT_INTS;
}

static int check_words(const struct rp_opt *opt, const char *label, int n, const char *const *words)
{
    if (n <= 0)
        return rp_fail(RP_ERR_USAGE, "%s: needs %s", label,
                       rp_opt_is_list(opt->type) ? "one or more values" : "a value");
    if (n > 1 && opt->type == RP_OPT_FLAG)
        return rp_fail(RP_ERR_USAGE, "%s: takes no value", label);
    if (n > 1 && !rp_opt_is_list(opt->type))
        return rp_fail(RP_ERR_USAGE, "%s: takes one value, not %d", label, n);
    for (int i = 0; i < n; i++) {
        if (!words[i] || !*words[i])
            return rp_fail(RP_ERR_USAGE, "%s: an empty value", label);
    }
    return 0;
}

int rp_opt_parse(const struct rp_opt *opt, const char *label, int n, const char *const *words,
                 union rp_opt_value *out)
{
    int ret;
    union rp_opt_value v;

    if (opt->type == RP_OPT_FLAG && n == 0) {
        out->flag = true;
        return 0;
    }
    if ((ret = check_words(opt, label, n, words)) < 0)
        return ret;
    switch (opt->type) {
    case RP_OPT_FLAG: ret = parse_flag(label, words[0], &v.flag); break;
    case RP_OPT_INT: ret = parse_int(opt, label, words[0], &v.i); break;
    case RP_OPT_FLOAT: ret = parse_float(opt, label, words[0], &v.d); break;
    case RP_OPT_CHOICE: ret = parse_choice(opt, label, words[0], &v.i); break;
    case RP_OPT_SIZE: ret = parse_size(opt, label, words[0], &v.size); break;
    case RP_OPT_STRINGS: ret = parse_strings(label, n, words, &v.strings); break;
    case RP_OPT_CHOICES: ret = parse_choices(opt, label, n, words, &v.choices); break;
    case RP_OPT_INTS: ret = parse_ints(opt, label, n, words, &v.ints); break;
    case RP_OPT_BYTES: ret = parse_bytes(opt, label, words[0], &v.bytes); break;
    case RP_OPT_STRING: ret = parse_string(opt, label, words[0], &v.s); break;
    }
    if (ret < 0)
        return ret;
    *out = v;
    return 0;
}

int rp_opt_copy(const struct rp_opt *opt, void *to, const void *from)
{
    if (opt->type == RP_OPT_STRING) {
        const char *const text = *(char *const *) from;

        *(char **) to = text ? strdup(text) : NULL;
        return !text || *(char **) to ? 0 : rp_fail(RP_ERR_NOMEM, "options: out of memory");
    }
    if (opt->type == RP_OPT_STRINGS) {
        const struct rp_opt_strings *const list = from;

        return list->n ? parse_strings(opt->name, list->n, (const char *const *) list->v, to) : 0;
    }
    memcpy(to, from, rp_opt_value_size(opt->type));
    return 0;
}

void rp_opt_clear(const struct rp_opt *opt, void *value)
{
    if (opt->type == RP_OPT_STRING)
        free(*(char **) value);
    else if (opt->type == RP_OPT_STRINGS)
        free_strings(value);
    memset(value, 0, rp_opt_value_size(opt->type));
    if (opt->type == RP_OPT_CHOICE)
        *(int *) value = -1;
}

void rp_opt_sides(const struct rp_opt_ints *ints, int side[4])
{
    static const int from[5][4] = {{0}, {0, 0, 0, 0}, {0, 1, 0, 1}, {0, 1, 2, 1}, {0, 1, 2, 3}};
    const int n = RP_CLAMP(ints->n, 0, 4);

    for (int i = 0; i < 4; i++)
        side[i] = n ? ints->v[from[n][i]] : 0;
}

static char *text_of_ints(const struct rp_opt_ints *ints)
{
    char text[RP_ARRAY_LEN(ints->v)][NUMBER_TEXT];
    const char *words[RP_ARRAY_LEN(ints->v)];

    for (int i = 0; i < ints->n; i++) {
        snprintf(text[i], sizeof(text[i]), "%d", ints->v[i]);
        words[i] = text[i];
    }
    return ints->n ? join(words, ints->n, " ") : NULL;
}

static char *text_of_choices(const struct rp_opt *opt, const struct rp_opt_choices *choices)
{
    const char *const *const all = rp_opt_choices(opt);
    const char *words[RP_OPT_MAX_LIST];

    for (int i = 0; i < choices->n; i++)
        words[i] = all[choices->v[i]];
    return choices->n ? join(words, choices->n, " ") : NULL;
}

static char *text_of_number(const struct rp_opt *opt, const void *value)
{
    char text[NUMBER_TEXT];

    if (opt->type == RP_OPT_FLOAT)
        format_number(text, *(const double *) value, decimals_of(opt));
    else if (opt->type == RP_OPT_BYTES)
        format_bytes(text, *(const int64_t *) value);
    else
        snprintf(text, sizeof(text), "%d", *(const int *) value);
    return strdup(text);
}

bool rp_opt_is_empty(const struct rp_opt *opt, const void *value)
{
    switch (opt->type) {
    case RP_OPT_STRING: return !*(char *const *) value;
    case RP_OPT_CHOICE: return *(const int *) value < 0;
    case RP_OPT_SIZE: return !((const struct rp_opt_size *) value)->w;
    case RP_OPT_STRINGS: return !((const struct rp_opt_strings *) value)->n;
    case RP_OPT_CHOICES: return !((const struct rp_opt_choices *) value)->n;
    case RP_OPT_INTS: return !((const struct rp_opt_ints *) value)->n;
    default: return false;
    }
}

char *rp_opt_text(const struct rp_opt *opt, const void *value)
{
    const struct rp_opt_strings *const strings = value;
    const struct rp_opt_size *const size = value;

    switch (opt->type) {
    case RP_OPT_FLAG: return strdup(*(const bool *) value ? "yes" : "no");
    case RP_OPT_INT:
    case RP_OPT_FLOAT:
    case RP_OPT_BYTES: return text_of_number(opt, value);
    case RP_OPT_STRING: return *(char *const *) value ? strdup(*(char *const *) value) : NULL;
    case RP_OPT_CHOICE:
        return *(const int *) value < 0 ? NULL : strdup(rp_opt_choices(opt)[*(const int *) value]);
    case RP_OPT_SIZE: return size->w ? rp_asprintf("%dx%d", size->w, size->h) : NULL;
    case RP_OPT_STRINGS:
        return strings->n ? join((const char *const *) strings->v, strings->n, " ") : NULL;
    case RP_OPT_CHOICES: return text_of_choices(opt, value);
    case RP_OPT_INTS: return text_of_ints(value);
    }
    return NULL;
}
