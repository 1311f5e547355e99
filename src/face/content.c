#include "face/content.h"

#include "engine/list.h"

#define BLOCK_RATE 10.0 /* percent of the checked frames */
#define MAX_CHECKS 3

/* What a network takes and gives. */
static const struct check {
    const char *name;
    enum rp_content_kind kind;
    int side;             /* of its input [1][3][side][side], RGB */
    bool stretch;         /* the frame fills the input; else it keeps its shape, black around it */
    double mean[3], dev[3];
    int outputs;          /* numbers it gives; 0: [1][4 + classes][cells] */
} checks[] = {
    {"nsfw_1", RP_CONTENT_NSFW_1, 640, false, {0, 0, 0}, {1, 1, 1}, 0},
    {"nsfw_2", RP_CONTENT_NSFW_2, 384, false, {0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}, 2},
    {"nsfw_3", RP_CONTENT_NSFW_3, 448, false, {0.48145466, 0.4578275, 0.40821073},
     {0.26862954, 0.26130258, 0.27577711}, 4},
    /* as nsfwjs does: with black around the frame it gives false alarms */
    {"nsfwjs", RP_CONTENT_NSFWJS, 224, true, {0, 0, 0}, {1, 1, 1}, 5},
};

struct rp_content_check {
    int n;
    bool lite, named; /* the lite one checks; it was asked for */
    int votes; /* against a frame that make it positive */
    const struct check *check[MAX_CHECKS];
    struct rp_model *model[MAX_CHECKS];
};

struct part {
    const struct check *check;
    struct rp_net *net;
    struct rp_img whole, fit; /* the input's pixels, and where the frame is in them */
    float *lut;
    int row; /* numbers in a row of the output, nsfw_1 */
};

struct rp_content_slot {
    struct rp_slot *slot;
    int n, votes;
    struct part part[MAX_CHECKS];
    struct rp_verdict *verdict;
};

/* ---- options --------------------------------------------------------------------------------- */

static const char *const *choices(void)
{
    return rp_catalogue_choices(RP_KIND_CONTENT_ANALYSER);
}

/* clang-format off */
static const struct rp_opt opts[] = {
    {"content-analyser-model", 0, RP_OPT_CHOICE, offsetof(struct rp_content_options, model),
     .def_text = "many", .choices_fn = choices,
     .ours = true, .help = "what checks the content; many: FaceFusion's three models, of which two must agree"},
    {0},
};
/* clang-format on */

const struct rp_opt_group rp_content_group = {
    "content_analyser", "Content check", sizeof(struct rp_content_options), opts,
};

/* ---- models ---------------------------------------------------------------------------------- */

static int add(struct rp_content_check *g, struct rp_pool *pool, const char *name, bool named,
               const struct rp_model_entry **entry)
{
    struct rp_model *model;

    RP_CHECK(rp_pool_get(pool, RP_KIND_CONTENT_ANALYSER, name, named, entry, &model));
    const struct check *const check = RP_FACTS(checks, (*entry)->name);
    RP_CHECK(rp_model_expect_input(model, NULL, 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, 3, check->side, check->side}));
    RP_CHECK(rp_model_expect_outputs(model, 1));
    if ((*entry)->flags & RP_MODEL_LITE)
        g->n = 0; /* it checks alone, also where it replaces the three */
    g->lite = (*entry)->flags & RP_MODEL_LITE;
    g->named = named;
    g->check[g->n] = check;
    g->model[g->n++] = model;
    g->votes = g->n > 1 ? 2 : 1;
    return 0;
}

/* All three; or the lite one, if the three are only the default and one is not installed. */
static int add_three(struct rp_content_check *g, struct rp_pool *pool, bool named)
{
    const struct rp_model_entry *entry;
    static const char *const names[] = {"nsfw_1", "nsfw_2", "nsfw_3"};

    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        RP_CHECK(add(g, pool, names[i], named, &entry));
        if (entry->flags & RP_MODEL_LITE)
            break;
    }
    return 0;
}

int rp_content_create(struct rp_content_check **out, struct rp_pool *pool,
                   const struct rp_settings *settings)
{
    int ret;
    const struct rp_model_entry *entry;
    const struct rp_content_options *const o = rp_settings_get(settings, &rp_content_group);
    const char *const name = choices()[o->model];
    struct rp_content_check *const g = *out = calloc(1, sizeof(*g));

    if (!g)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (!strcmp(name, "many"))
        RP_TRY(add_three(g, pool, rp_settings_is_set(settings, "content-analyser-model")));
    else
        RP_TRY(add(g, pool, name, true, &entry));
    return 0;

fail:
    rp_content_destroy(out);
    return ret;
}

void rp_content_destroy(struct rp_content_check **content)
{
    free(*content);
    *content = NULL;
}

#define ADVICE                                                                                    \
    "; nsfwjs, the lite network, refuses some harmless pictures: 'reprise force-download nsfw_1 " \
    "nsfw_2 nsfw_3' installs the three official networks, which then decide"

const char *rp_content_advice(const struct rp_content_check *g)
{
    if (!g || !g->lite)
        return "";
    return g->named ? ADVICE " with --content-analyser-model many" : ADVICE;
}

/* ---- in a slot ------------------------------------------------------------------------------- */

/* Where a frame of this size lies in the input: in the middle, as large as fits. */
static struct rp_img place_of(const struct part *part, int w, int h)
{
    const int side = part->check->side;
    const double scale = RP_MIN((double) side / h, (double) side / w);
    struct rp_img at = part->whole;

    if (part->check->stretch)
        return at;
    at.w = RP_CLAMP((int) (w * scale), 1, side);
    at.h = RP_CLAMP((int) (h * scale), 1, side);
    at.data +=
        (ptrdiff_t) ((side - at.h) / 2) * at.stride + (ptrdiff_t) ((side - at.w) / 2) * at.ch;
    return at;
}

static int check_output(struct part *part)
{
    const struct check *const check = part->check;
    const struct rp_tensor *const out = &part->net->out[0];
    const char *const name = rp_model_name(part->net->model);

    if (check->outputs && out->count != (size_t) check->outputs)
        return rp_fail(RP_ERR_MODEL, "%s: gives %zu numbers, the content check needs %d", name,
                       out->count, check->outputs);
    if (!check->outputs && (out->rank != 3 || out->dim[0] != 1 || out->dim[1] < 5))
        return rp_fail(RP_ERR_MODEL, "%s: gives a tensor of another shape than 1 x (4 + classes) x "
                       "cells, which the content check needs", name);
    part->row = check->outputs ? 0 : (int) out->dim[2];
    return 0;
}

static int attach_part(struct part *part, struct rp_slot *slot, struct rp_model *model, int w,
                       int h)
{
    float lut[3][256];
    const struct check *const c = part->check;
    const int64_t dim[] = {1, 3, c->side, c->side};

    rp_tensor_lut(lut, 255, c->mean, c->dev);
    RP_CHECK(rp_slot_constant(slot, lut, sizeof(lut), (void **) &part->lut));
    RP_CHECK(rp_slot_image(slot, c->side, c->side, 3, &part->whole));
    part->fit = place_of(part, w, h);
    RP_CHECK(rp_net_open(&part->net, slot, model, (const int64_t *const[]){dim}));
    return check_output(part);
}

int rp_content_attach(struct rp_content_slot **out, const struct rp_content_check *content,
                   struct rp_slot *slot, int w, int h)
{
    int ret;
    struct rp_content_slot *const at = *out = calloc(1, sizeof(*at));

    if (!at)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    at->slot = slot;
    at->votes = content->votes;
    RP_TRY(rp_slot_alloc(slot, sizeof(*at->verdict), (void **) &at->verdict));
    for (; at->n < content->n; at->n++) {
        at->part[at->n].check = content->check[at->n];
        RP_TRY(attach_part(&at->part[at->n], slot, content->model[at->n], w, h));
    }
    return 0;

fail:
    rp_content_detach(out);
    return ret;
}

void rp_content_detach(struct rp_content_slot **at)
{
    if (!*at)
        return;
    for (int i = 0; i < MAX_CHECKS; i++)
        rp_net_close(&(*at)->part[i].net);
    free(*at);
    *at = NULL;
}

/* The area around the frame was zeroed when the slot was made, and nothing writes to it. */
void rp_content_record(struct rp_content_slot *at, const struct rp_img *frame)
{
    const enum rp_stage before = rp_record_stage(at->slot, RP_STAGE_CONTENT_CHECK);

    for (int i = 0; i < at->n; i++) {
        const struct part *const p = &at->part[i];
        const struct rp_tensor *const out = &p->net->out[0];

        RP_OP(at->slot, resize, .src = *frame, .dst = p->fit);
        RP_OP(at->slot, to_tensor, .src = p->whole, .lut = p->lut,
              .dst = p->net->in[0].data, .w = p->whole.w, .h = p->whole.h, .rgb = 1,
              .step = 1);
        rp_record_run(p->net);
        RP_OP(at->slot, content_vote, .kind = (int) p->check->kind, .src = out->data,
              .n = (int) out->count, .row = p->row, .votes = i == at->n - 1 ? at->votes : 0,
              .dst = at->verdict);
    }
    rp_record_stage(at->slot, before);
}

struct rp_verdict *rp_content_verdict(const struct rp_content_slot *at)
{
    return at->verdict;
}

/* ---- which frames of a video ----------------------------------------------------------------- */

#define SECOND (1 + 1e-6) /* times are rounded */

/* With every n-th frame, at least RP_CONTENT_LEAST are examined. */
static int64_t spread(int64_t frames)
{
    return RP_MAX((frames - 1) / (RP_CONTENT_LEAST - 1), 1);
}

void rp_content_sample_begin(struct rp_content_sampler *s, int64_t frames)
{
    *s = (struct rp_content_sampler){
        .step = frames > 0 ? RP_MIN(spread(frames), RP_CONTENT_APART) : RP_CONTENT_APART};
}

/* Times that are no numbers make every frame due. */
bool rp_content_sample(struct rp_content_sampler *s, double time, double next)
{
    const bool due = !s->chosen || s->seen - s->last >= s->step || !(next - s->time <= SECOND);

    rp_content_sampled(s, time, due);
    return due;
}

void rp_content_sampled(struct rp_content_sampler *s, double time, bool examined)
{
    const int64_t number = s->seen++;

    if (!examined)
        return;
    if (s->chosen < RP_CONTENT_LEAST)
        s->number[s->chosen] = number;
    s->chosen++;
    s->last = number;
    s->time = time;
}

bool rp_content_is_late(const struct rp_content_sampler *s, int64_t number)
{
    if (s->chosen >= RP_MIN(s->seen, RP_CONTENT_LEAST))
        return false;
    if (number < 0)
        return true;
    for (int64_t i = 0; i < s->chosen; i++)
        if (s->number[i] == number)
            return false;
    return number < s->seen && number % spread(s->seen) == 0;
}

/* By time two in a row are more than a second apart less a frame, by number a step. */
int64_t rp_content_most(const struct rp_content_sampler *s, int64_t frames, double seconds,
                        double longest)
{
    const double by_time = seconds / RP_CLAMP(1 - 2 * longest, 0.5, 1); /* twice: to be sure */

    return by_time >= 0 && by_time < 1e15 ? frames / s->step + (int64_t) by_time + 4
                                          : INT64_MAX / 200;
}

bool rp_content_blocks(int64_t checked, int64_t positive)
{
    return checked > 0 && 100.0 * (double) positive > BLOCK_RATE * (double) checked;
}
