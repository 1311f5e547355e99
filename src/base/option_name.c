/* Comparing names of options and of choices: equal, by prefix, or misspelt. */
#include "base/option_impl.h"

#include <limits.h>

static char fold(char c)
{
    return (char) (c == '_' ? '-' : c);
}

bool rp_opt_name_begins(const char *name, const char *beginning)
{
    while (*beginning && fold(*name) == fold(*beginning)) {
        name++;
        beginning++;
    }
    return !*beginning;
}

bool rp_opt_name_is(const char *name, const char *other)
{
    while (*other && fold(*name) == fold(*other)) {
        name++;
        other++;
    }
    return !*name && !*other;
}

const struct rp_opt_former *rp_opt_former(const struct rp_opt_group *group, const char *name)
{
    for (const struct rp_opt_former *f = group->former; f && f->name; f++)
        if (rp_opt_name_is(f->name, name))
            return f;
    return NULL;
}

/* Letters to insert, remove or replace to turn one into the other (Levenshtein). */
static int edit_distance(const char *a, const char *b)
{
    enum { MAX_NAME = 64 };
    int row[MAX_NAME + 1];
    const int len_b = (int) strnlen(b, MAX_NAME + 1);

    if (len_b > MAX_NAME || strnlen(a, MAX_NAME + 1) > MAX_NAME)
        return INT_MAX;
    for (int j = 0; j <= len_b; j++)
        row[j] = j;
    for (int i = 1; a[i - 1]; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= len_b; j++) {
            const int replaced = diagonal + (fold(a[i - 1]) != fold(b[j - 1]));
            const int moved = RP_MIN(row[j], row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = RP_MIN(replaced, moved);
        }
    }
    return row[len_b];
}

bool rp_opt_is_near(const char *typed, const char *candidate, int *distance)
{
    enum { MOST = 2 };
    const int longer = (int) strnlen(typed, INT_MAX) - (int) strnlen(candidate, INT_MAX);

    if (abs(longer) > MOST) /* as many letters at least differ: most of the options */
        return false;
    const int d = edit_distance(typed, candidate);
    /* with two letters changed a short word is another word */
    if (d > MOST || d >= *distance || (size_t) d * 2 >= strlen(candidate))
        return false;
    *distance = d;
    return true;
}

static bool contains(const char *name, const char *part)
{
    for (; *name; name++)
        if (rp_opt_name_begins(name, part))
            return true;
    return false;
}

const char *rp_opt_nearest(const char *typed, const char *const *candidates)
{
    const char *nearest = NULL, *begins = NULL, *holds = NULL;
    int distance = INT_MAX;
    const size_t n = strlen(typed);

    for (int i = 0; candidates[i]; i++) {
        if (rp_opt_is_near(typed, candidates[i], &distance))
            nearest = candidates[i];
        if (!begins && n >= 3 && rp_opt_name_begins(candidates[i], typed))
            begins = candidates[i];
        if (!holds && n >= 4 && contains(candidates[i], typed))
            holds = candidates[i];
    }
    return nearest ? nearest : begins ? begins : holds;
}
