/* One walk over the list makes a line of each item (struct line); one function each writes lines as
 * text, hash or JSON. */
#include "engine/show.h"

#include "engine/cache.h"
#include "onnx/onnx.h"
#include "ops/describe.h"

#include <stdarg.h>

#define REFS (2 * RP_MAX_TENSORS)
_Static_assert(REFS >= RP_OP_ADDRESSES, "a line has no room for all addresses of an operation");

struct ref {
    const char *name;
    int buffer;
};

struct line {
    const char *kind, *name; /* "operation", "warp" */
    char text[2048];
    struct ref ref[REFS];
    int refs;
    double bytes, flop;
    bool flop_known;
};

struct buffer {
    const void *at;
    double bytes;
};

struct network {
    const struct rp_model *model;
    struct rp_onnx_cost cost; /* for the sizes of the first net */
};

/* A text that grows. */
struct text {
    char *p;
    size_t n, room;
};

struct walk {
    const struct rp_list *list;
    struct buffer *buffer;
    int buffers, buffer_room;
    struct network *network;
    int networks, network_room;
    struct line line;
    bool count;            /* count what networks do, from their files */
    bool broken;           /* out of memory */
    struct text text;      /* of all lines */
    /* totals */
    int items, operations, runs, loops, choices;
    double bytes, flop, network_flop, weight_bytes;
    bool incomplete;       /* it is not known what some networks do */
};

/* ---- memory ---------------------------------------------------------------------------------- */

/* Make room for one more; false when out of memory. */
static bool room_for(struct walk *w, void *list, int n, int *room, size_t size)
{
    void **const at = list;

    if (n == *room) {
        const int more = *room ? 2 * *room : 64;
        void *const grown = realloc(*at, (size_t) more * size);

        if (!grown) {
            w->broken = true;
            return false;
        }
        *at = grown;
        *room = more;
    }
    return true;
}

static void put(struct walk *w, const char *format, ...) RP_PRINTF(2, 3);

static void put(struct walk *w, const char *format, ...)
{
    struct text *const t = &w->text;
    va_list ap;

    va_start(ap, format);
    const int n = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    if (n < 0 || w->broken)
        return;
    if (t->n + (size_t) n + 1 > t->room) {
        const size_t room = 2 * (t->n + (size_t) n) + 4096;
        char *const grown = realloc(t->p, room);

        if (!grown) {
            w->broken = true;
            return;
        }
        t->p = grown;
        t->room = room;
    }
    va_start(ap, format);
    vsnprintf(t->p + t->n, t->room - t->n, format, ap);
    va_end(ap);
    t->n += (size_t) n;
}

static void walk_free(struct walk *w)
{
    free(w->buffer);
    free(w->network);
    free(w->text.p);
}

/* ---- what an item is ------------------------------------------------------------------------- */

static int number_of(struct walk *w, const void *at, double bytes)
{
    int i = 0;

    while (i < w->buffers && w->buffer[i].at != at)
        i++;
    if (i == w->buffers) {
        if (!room_for(w, &w->buffer, w->buffers, &w->buffer_room, sizeof(*w->buffer)))
            return -1;
        w->buffer[w->buffers++] = (struct buffer){.at = at};
    }
    w->buffer[i].bytes = RP_MAX(w->buffer[i].bytes, bytes);
    return i;
}

static void refer(struct walk *w, const char *name, const void *at, double bytes)
{
    struct line *const l = &w->line;

    if (at && l->refs < REFS)
        l->ref[l->refs++] = (struct ref){name, number_of(w, at, bytes)};
}

static void line_operation(struct walk *w, int i)
{
    struct rp_op_facts f;
    struct line *const l = &w->line;
    const enum rp_op_number op = (enum rp_op_number) w->list->item[i].number;

    rp_op_describe(op, rp_list_args(w->list, i), &f);
    l->kind = "operation";
    l->name = rp_op_name(op);
    snprintf(l->text, sizeof(l->text), "%s", f.text);
    for (int k = 0; k < f.addresses; k++)
        refer(w, f.address[k].name, f.address[k].at,
              RP_MAX(f.address[k].read, f.address[k].written));
    l->bytes = f.read + f.written;
    l->flop = f.flop;
    l->flop_known = true;
    w->operations++;
}

static void line_copy(struct walk *w, const struct rp_item *item, const char *kind)
{
    struct line *const l = &w->line;

    l->kind = kind;
    snprintf(l->text, sizeof(l->text), "%zu bytes", item->bytes);
    refer(w, "src", item->src, (double) item->bytes);
    refer(w, "dst", item->dst, (double) item->bytes);
    l->bytes = (double) item->bytes * (item->src ? 2 : 1);
}

static const char *type_name(enum rp_type type)
{
    switch (type) {
    case RP_TYPE_F32: return "f32";
    case RP_TYPE_F64: return "f64";
    case RP_TYPE_I64: return "i64";
    case RP_TYPE_I32: return "i32";
    case RP_TYPE_U8: return "u8";
    case RP_TYPE_OTHER: break;
    }
    return "other";
}

static void append(char *text, size_t size, const char *format, ...) RP_PRINTF(3, 4);

static void append(char *text, size_t size, const char *format, ...)
{
    const size_t n = strlen(text);
    va_list ap;

    va_start(ap, format);
    vsnprintf(text + n, size - n, format, ap);
    va_end(ap);
}

/* "f32[1,3,256,256]" */
static void say_tensor(struct line *l, const struct rp_tensor *t)
{
    append(l->text, sizeof(l->text), "%s%s[", *l->text ? " " : "", type_name(t->type));
    for (int i = 0; i < t->rank; i++)
        append(l->text, sizeof(l->text), "%s%lld", i ? "," : "", (long long) t->dim[i]);
    append(l->text, sizeof(l->text), "]");
}

static void count_network(struct rp_onnx_cost *cost, const struct rp_net *net)
{
    struct rp_onnx *onnx;
    const int64_t *dim[RP_MAX_TENSORS];
    const int *inputs;

    *cost = (struct rp_onnx_cost){0};
    rp_log_hold(true); /* a network that cannot be counted is no failure: its work is unknown */
    if (rp_onnx_open(&onnx, rp_model_path(net->model)) >= 0) {
        for (int i = 0; i < net->nin; i++)
            dim[i] = net->in[i].dim;
        rp_onnx_count(onnx, rp_onnx_inputs(onnx, &inputs) == net->nin ? dim : NULL, cost);
        rp_onnx_close(&onnx);
    }
    rp_log_hold(false);
}

static struct network *network_of(struct walk *w, const struct rp_net *net)
{
    for (int i = 0; i < w->networks; i++)
        if (w->network[i].model == net->model)
            return &w->network[i];
    if (!room_for(w, &w->network, w->networks, &w->network_room, sizeof(*w->network)))
        return NULL;

    struct network *const n = &w->network[w->networks++];
    *n = (struct network){.model = net->model};
    if (w->count) {
        count_network(&n->cost, net);
        w->weight_bytes += n->cost.weight_bytes;
    }
    return n;
}

static void line_network(struct walk *w, const struct rp_net *net)
{
    struct line *const l = &w->line;
    const struct network *const n = network_of(w, net);
    const struct rp_tensor_info *in, *out;
    const int nin = rp_model_inputs(net->model, &in), nout = rp_model_outputs(net->model, &out);

    l->kind = "network";
    l->name = rp_model_name(net->model);
    for (int i = 0; i < net->nin; i++) {
        say_tensor(l, &net->in[i]);
        refer(w, i < nin ? in[i].name : "in", net->in[i].data, (double) net->in[i].bytes);
        l->bytes += (double) net->in[i].bytes;
    }
    append(l->text, sizeof(l->text), " ->");
    for (int i = 0; i < net->nout; i++) {
        say_tensor(l, &net->out[i]);
        refer(w, i < nout ? out[i].name : "out", net->out[i].data, (double) net->out[i].bytes);
        l->bytes += (double) net->out[i].bytes;
    }
    w->runs++;
    l->flop_known = n && n->cost.complete;
    l->flop = n ? n->cost.flop : 0;
    w->network_flop += l->flop;
    w->incomplete |= !l->flop_known;
}

static void make_line(struct walk *w, int i)
{
    struct line *const l = &w->line;
    const struct rp_item *const item = &w->list->item[i];

    *l = (struct line){.name = ""};
    switch (item->kind) {
    case RP_ITEM_OP: line_operation(w, i); break;
    case RP_ITEM_UPLOAD: line_copy(w, item, "upload"); break;
    case RP_ITEM_DOWNLOAD: line_copy(w, item, "download"); break;
    case RP_ITEM_COPY: line_copy(w, item, "copy"); break;
    case RP_ITEM_ZERO: line_copy(w, item, "zero"); break;
    case RP_ITEM_RUN: line_network(w, item->net); break;
    case RP_ITEM_STAGE:
        l->kind = "stage";
        l->name = rp_stage_name((enum rp_stage) item->number);
        break;
    case RP_ITEM_LOOP:
        l->kind = "loop";
        refer(w, "count", item->src, sizeof(int32_t));
        refer(w, "index", item->dst, sizeof(int32_t));
        w->loops++;
        break;
    case RP_ITEM_CHOICE:
        l->kind = "choice";
        snprintf(l->text, sizeof(l->text), "of %d", item->number);
        refer(w, "which", item->src, sizeof(int32_t));
        w->choices++;
        break;
    case RP_ITEM_BRANCH: l->kind = "branch"; break;
    }
    w->items++;
    if (item->kind != RP_ITEM_RUN)
        w->flop += l->flop;
    if (item->kind != RP_ITEM_RUN)
        w->bytes += l->bytes;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_line(struct walk *w, int depth)
{
    const struct line *const l = &w->line;
    const bool plain = !strcmp(l->kind, "operation");

    put(w, "%*s%s%s%s", 4 * depth, "", plain ? l->name : l->kind, plain || !*l->name ? "" : " ",
        plain ? "" : l->name);
    if (*l->text)
        put(w, "  %s", l->text);
    for (int i = 0; i < l->refs; i++)
        put(w, "%s%s=b%d", i ? " " : "  ", l->ref[i].name, l->ref[i].buffer);
    put(w, "\n");
}

static void put_items(struct walk *w, int first, int end, int depth)
{
    for (int i = first; i < end; i = rp_list_next(w->list, i)) {
        make_line(w, i);
        put_line(w, depth);
        if (w->list->item[i].end)
            put_items(w, i + 1, w->list->item[i].end, depth + 1);
    }
}

static void put_totals(struct walk *w, size_t memory)
{
    put(w, "\nbuffers\n");
    for (int i = 0; i < w->buffers; i++)
        put(w, "    b%-5d %12.0f bytes\n", i, w->buffer[i].bytes);
    put(w, "\ntotals, each loop's body and each branch once\n");
    put(w, "    %d items: %d operations, %d networks, %d loops, %d choices\n", w->items,
        w->operations, w->runs, w->loops, w->choices);
    put(w, "    operations and copies: %.1f MB moved at most, %.2f GFLOP\n", 1e-6 * w->bytes,
        1e-9 * w->flop);
    put(w, "    networks: %.2f GFLOP%s, weights %.1f MB\n", 1e-9 * w->network_flop,
        w->incomplete ? " (not all are known)" : "", 1e-6 * w->weight_bytes);
    if (memory)
        put(w, "    device memory: %.1f MB\n", 1e-6 * (double) memory);
}

char *rp_list_text(const struct rp_list *list, size_t memory)
{
    struct walk w = {.list = list, .count = true};
    char *text = NULL;

    put_items(&w, 0, list->n, 0);
    put_totals(&w, memory);
    if (!w.broken) {
        text = w.text.p;
        w.text.p = NULL;
    }
    walk_free(&w);
    return text;
}

/* ---- hash ------------------------------------------------------------------------------------ */

int rp_list_hash(const struct rp_list *list, char hex[RP_SHA256_HEX])
{
    int ret = 0;
    char stamp[512];
    struct walk w = {.list = list};

    put_items(&w, 0, list->n, 0);
    for (int i = 0; i < w.networks; i++) {
        const struct rp_model *const m = w.network[i].model;

        RP_TRY(rp_cache_stamp(rp_model_path(m), stamp, sizeof(stamp)));
        put(&w, "model %s layout %d deterministic %d: %s\n", rp_model_name(m),
            (int) rp_model_layout(m), rp_model_deterministic(m), stamp);
    }
    if (w.broken)
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
    else
        RP_TRY(rp_sha256_data(w.text.p ? w.text.p : "", w.text.n, hex));

fail:
    walk_free(&w);
    return ret;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

/* Takes over the value, which is NULL if there was no memory for it. A key may be a name of a
 * model's file, in any bytes. */
static void set(struct walk *w, json_t *object, const char *key, json_t *value)
{
    char *const clean = rp_utf8(key);

    if (!clean || !value || json_object_set_new(object, clean, value) < 0)
        w->broken = true;
    free(clean);
}

static json_t *text_json(const char *text)
{
    char *const clean = rp_utf8(text);
    json_t *const json = clean ? json_string(clean) : NULL;

    free(clean);
    return json;
}

static void set_number(struct walk *w, json_t *object, const char *key, double v)
{
    set(w, object, key, v < 9e15 ? json_integer((json_int_t) v) : json_real(v));
}

static json_t *line_json(struct walk *w)
{
    const struct line *const l = &w->line;
    json_t *const o = json_object(), *const refs = json_object();

    set(w, o, "kind", json_string(l->kind));
    if (*l->name)
        set(w, o, "name", text_json(l->name));
    if (*l->text)
        set(w, o, "text", text_json(l->text));
    for (int i = 0; i < l->refs; i++) {
        char name[16];

        snprintf(name, sizeof(name), "b%d", l->ref[i].buffer);
        set(w, refs, l->ref[i].name, json_string(name));
    }
    if (l->refs)
        set(w, o, "buffers", refs);
    else
        json_decref(refs);
    if (l->bytes > 0)
        set_number(w, o, "bytes", l->bytes);
    if (l->flop_known)
        set_number(w, o, "flop", l->flop);
    return o;
}

static json_t *items_json(struct walk *w, int first, int end)
{
    json_t *const items = json_array();

    for (int i = first; i < end; i = rp_list_next(w->list, i)) {
        make_line(w, i);
        json_t *const o = line_json(w);
        if (w->list->item[i].end)
            set(w, o, "items", items_json(w, i + 1, w->list->item[i].end));
        if (json_array_append_new(items, o) < 0)
            w->broken = true;
    }
    return items;
}

static json_t *buffers_json(struct walk *w)
{
    json_t *const sizes = json_object();
    char name[16];

    for (int i = 0; i < w->buffers; i++) {
        snprintf(name, sizeof(name), "b%d", i);
        set_number(w, sizes, name, w->buffer[i].bytes);
    }
    return sizes;
}

static json_t *totals_json(struct walk *w, size_t memory)
{
    json_t *const o = json_object();

    set(w, o, "items", json_integer(w->items));
    set(w, o, "operations", json_integer(w->operations));
    set(w, o, "networks", json_integer(w->runs));
    set(w, o, "loops", json_integer(w->loops));
    set(w, o, "choices", json_integer(w->choices));
    set_number(w, o, "bytes", w->bytes);
    set_number(w, o, "flop", w->flop);
    set_number(w, o, "network_flop", w->network_flop);
    set(w, o, "network_flop_complete", json_boolean(!w->incomplete));
    set_number(w, o, "weight_bytes", w->weight_bytes);
    set(w, o, "memory", memory ? json_integer((json_int_t) memory) : json_null());
    return o;
}

json_t *rp_list_json(const struct rp_list *list, size_t memory)
{
    char hex[RP_SHA256_HEX];
    struct walk w = {.list = list, .count = true};
    json_t *o = json_object();

    set(&w, o, "hash", rp_list_hash(list, hex) < 0 ? json_null() : json_string(hex));
    set(&w, o, "items", items_json(&w, 0, list->n));
    set(&w, o, "buffers", buffers_json(&w));
    set(&w, o, "totals", totals_json(&w, memory));
    if (w.broken) {
        json_decref(o);
        o = NULL;
    }
    walk_free(&w);
    return o;
}
