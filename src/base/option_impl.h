/* Shared by the files option*.c only. */
#ifndef RP_OPTION_IMPL_H
#define RP_OPTION_IMPL_H

#include "base/option.h"

/* Room for a value of any type; the option's type says which member is in use. */
union rp_opt_value {
    bool flag;
    int i;
    double d;
    char *s;
    int64_t bytes;
    struct rp_opt_size size;
    struct rp_opt_strings strings;
    struct rp_opt_choices choices;
    struct rp_opt_ints ints;
};

struct rp_entry {
    const struct rp_opt *opt;
    const struct rp_opt_group *group;
    void *at;       /* the value, in the group's struct */
    bool has_value; /* given, or has a default */
    bool given;
    int line;       /* of the file being read, to find keys given twice */
};

struct rp_settings {
    const struct rp_opt_group *const *groups;
    int n_groups, n;
    void **values; /* one struct per group */
    struct rp_entry *entries;
    uint64_t sums[64]; /* bits: those of the names of entries */
};

/* Bytes of a value of this type, 0 for an unknown type. */
size_t rp_opt_value_size(enum rp_opt_type type);

bool rp_opt_is_list(enum rp_opt_type type);

/* Read words into *out, which then owns what it points to. On failure it is left as it was.
 * @param label  what messages begin with: "--face-detector-score" */
int rp_opt_parse(const struct rp_opt *opt, const char *label, int n, const char *const *words,
                 union rp_opt_value *out);

/* Copy a value to *to, which must be unset and then owns what it points to. */
int rp_opt_copy(const struct rp_opt *opt, void *to, const void *from);

/* Free what a value points to and make it unset. */
void rp_opt_clear(const struct rp_opt *opt, void *value);

/* True for a value without a text. */
bool rp_opt_is_empty(const struct rp_opt *opt, const void *value);

/* Heap string; NULL when out of memory, or for an empty value. */
char *rp_opt_text(const struct rp_opt *opt, const void *value);

/* option_name.c. The names are the same, taking '-' and '_' as equal. */
bool rp_opt_name_is(const char *name, const char *other);
bool rp_opt_name_begins(const char *name, const char *beginning);

/* What the name was in an earlier FaceFusion; NULL if it was none there. */
const struct rp_opt_former *rp_opt_former(const struct rp_opt_group *group, const char *name);

/* True if `candidate` may be what `typed` was meant to be (at most two letters off) and is nearer
 * than *distance, which is then updated. Start with INT_MAX. */
bool rp_opt_is_near(const char *typed, const char *candidate, int *distance);

/* What a word was most likely meant to be: a candidate that is near; else the first that begins with
 * it or, for four letters or more, contains it. NULL: none. @param candidates  NULL-terminated */
const char *rp_opt_nearest(const char *typed, const char *const *candidates);

int rp_entry_set(struct rp_entry *entry, const char *label, int n, const char *const *words);
int rp_entry_set_text(struct rp_entry *entry, const char *label, const char *text);

#endif /* RP_OPTION_IMPL_H */
