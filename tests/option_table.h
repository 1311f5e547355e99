/* An option table with every type, for test_options and the fuzzers, and what must hold for it. */
#ifndef OPTION_TABLE_H
#define OPTION_TABLE_H

#include "base/option.h"

#include <math.h>

struct look_options {
    bool fast;
    int count, tens, any;
    double score, gain;
    char *path, *name;
    int mode, model;
    struct rp_opt_size size, box;
    int64_t memory;
};

struct list_options {
    struct rp_opt_strings sources;
    struct rp_opt_choices angles;
    struct rp_opt_ints margin;
    bool keep, keeper;
};

static const char *const modes[] = {"many", "one", "reference", NULL};
static const struct rp_opt_elsewhere other_modes[] = {{"crowd", "a mode of others"}, {0}};
static const struct rp_opt_elsewhere other_models[] = {{"model_0", "a model of others"}, {0}};
static const char *const sizes[] = {"320x320", "640x640", NULL};
static const char *const angles[] = {"0", "90", "180", "270", NULL};

static inline const char *const *many_models(void)
{
    static const char *const names[] = {
        "model_a", "model_b", "model_c", "model_d", "model_e", "model_f", "model_g", "model_h",
        "model_i", "model_j", "model_k", "model_l", "model_m", "model_n", "model_o", "model_p",
        "model_q", "model_r", "model_s", "model_t", "model_u", "model_v", "model_w", "model_x",
        "model_y", "model_z", NULL};

    return names;
}

/* clang-format off */
#define AT(field) offsetof(struct look_options, field)
static const struct rp_opt look_opts[] = {
    {"look-fast",   'f', RP_OPT_FLAG,   AT(fast), .help = "be fast"},
    {"look-count",   0,  RP_OPT_INT,    AT(count), .min = 1, .max = 32, .def_text = "8"},
    {"look-tens",    0,  RP_OPT_INT,    AT(tens), .min = -100, .max = 100, .step = 10},
    {"look-any",     0,  RP_OPT_INT,    AT(any)},
    {"look-score",   0,  RP_OPT_FLOAT,  AT(score), .max = 1, .step = 0.05, .def_text = "0.5"},
    {"look-gain",    0,  RP_OPT_FLOAT,  AT(gain), .min = -1, .max = 1},
    {"look-path",   'p', RP_OPT_STRING, AT(path)},
    {"look-name",    0,  RP_OPT_STRING, AT(name), .choices_fn = many_models, .beginning = "own/",
     .def_text = "model_b"},
    {"look-mode",    0,  RP_OPT_CHOICE, AT(mode), .choices = modes, .def_text = "one",
     .elsewhere = other_modes},
    {"look-model",   0,  RP_OPT_CHOICE, AT(model), .choices_fn = many_models,
     .elsewhere = other_models},
    {"look-size",    0,  RP_OPT_SIZE,   AT(size), .choices = sizes, .def_text = "640x640"},
    {"look-box",     0,  RP_OPT_SIZE,   AT(box)},
    {"look-memory",  0,  RP_OPT_BYTES,  AT(memory), .min = 1024, .max = 1099511627776.,
     .def_text = "1G"},
    {0},
};
#undef AT
#define AT(field) offsetof(struct list_options, field)
static const struct rp_opt list_opts[] = {
    {"sources", 's', RP_OPT_STRINGS, AT(sources)},
    {"angles",   0,  RP_OPT_CHOICES, AT(angles), .choices = angles, .def_text = "0"},
    {"margin",   0,  RP_OPT_INTS,    AT(margin), .max = 100, .def_text = "0 0 0 0"},
    {"keep",     0,  RP_OPT_FLAG,    AT(keep)},
    {"keeper",   0,  RP_OPT_FLAG,    AT(keeper), .ours = true},
    {"kept",     0,  RP_OPT_FLAG,    AT(keeper), .ours = true},
    {0},
};
#undef AT
/* clang-format on */

static const struct rp_opt_former former_names[] = {
    {"border", "margin", NULL}, {"bound", NULL, "--margin"}, {0}};

static const struct rp_opt_group look_group = {"look", "Look", sizeof(struct look_options),
                                               look_opts};
static const struct rp_opt_group list_group = {"lists",   "Lists", sizeof(struct list_options),
                                               list_opts, "more",  former_names};
static const struct rp_opt_group *const option_groups[] = {&look_group, &list_group, NULL};

/* True while every value is one that the table allows. */
static inline bool promises_kept(const struct rp_settings *s)
{
    const struct look_options *const a = rp_settings_get(s, &look_group);
    const struct list_options *const b = rp_settings_get(s, &list_group);
    bool ok = a->count >= 1 && a->count <= 32 && abs(a->tens) <= 100 && a->tens % 10 == 0;

    ok = ok && a->score >= 0 && a->score <= 1 && a->gain >= -1 && a->gain <= 1;
    ok = ok && fabs(a->score * 20 - round(a->score * 20)) < 1e-9;
    ok = ok && (!a->path || *a->path) && a->mode >= 0 && a->mode < 3;
    ok = ok && a->model >= -1 && a->model < 26;
    ok = ok && (a->size.w == 320 || a->size.w == 640) && a->size.h == a->size.w;
    ok = ok && a->box.w >= 0 && a->box.w <= 32768 && !a->box.w == !a->box.h && a->box.h <= 32768;
    ok = ok && a->memory >= 1024 && a->memory <= (int64_t) 1 << 40;
    ok = ok && b->angles.n >= 1 && b->angles.n <= 4 && b->margin.n >= 1 && b->margin.n <= 8;
    for (int i = 0; i < b->angles.n; i++)
        ok = ok && b->angles.v[i] >= 0 && b->angles.v[i] < 4;
    for (int i = 0; i < b->margin.n; i++)
        ok = ok && b->margin.v[i] >= 0 && b->margin.v[i] <= 100;
    for (int i = 0; i < b->sources.n; i++)
        ok = ok && b->sources.v[i] && *b->sources.v[i];
    return ok;
}

#endif /* OPTION_TABLE_H */
