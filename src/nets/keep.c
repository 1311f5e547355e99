/* Head, buffers, then the steps: of each its operation, its arguments, and where its pointers
 * point. */
#include "nets/keep.h"

#include "base/hash.h"
#include "nets/reach.h"

#define MAGIC "rp plan"
#define MOST_STEPS (1 << 16)
#define MOST_BUFFERS (1 << 18)

struct head {
    char magic[8];
    uint32_t crc;    /* of all that follows it */
    uint32_t shapes; /* bytes of this, to notice a build with other structs */
    struct rp_nn_sum sum;
    uint64_t arena, weights;
    int32_t nsteps, nbuffers, ninputs, noutputs;
    struct rp_nn_shape in[16], out[16];
};

struct step {
    int32_t op, nfix;
};

/* ---- sums ------------------------------------------------------------------------------------ */

static void add_block(struct rp_nn_sum *s, const uint64_t word[8])
{
    for (int i = 0; i < 8; i++)
        s->lane[i] =
            ((s->lane[i] << 29 | s->lane[i] >> 35) ^ word[i]) * 0x9e3779b97f4a7c15u + (uint64_t) i;
}

void rp_nn_sum_add(struct rp_nn_sum *s, const void *data, size_t bytes)
{
    uint64_t word[8];
    const uint8_t *p = data;

    for (; bytes >= sizeof(word); p += sizeof(word), bytes -= sizeof(word)) {
        memcpy(word, p, sizeof(word));
        add_block(s, word);
    }
    if (!bytes)
        return;
    memset(word, 0, sizeof(word));
    memcpy(word, p, bytes);
    add_block(s, word);
}

bool rp_nn_sum_same(const struct rp_nn_sum *a, const struct rp_nn_sum *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

void rp_nn_sum_text(const struct rp_nn_sum *sum, char text[33])
{
    uint64_t half[2] = {1, 2};

    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 2; k++) {
            half[k] = (half[k] ^ sum->lane[i]) * (k ? 0xff51afd7ed558ccdu : 0xc4ceb9fe1a85ec53u);
            half[k] ^= half[k] >> 31;
        }
    snprintf(text, 33, "%016llx%016llx", (unsigned long long) half[0],
             (unsigned long long) half[1]);
}

/* ---- constants ------------------------------------------------------------------------------- */

int rp_nn_plan_parts(const struct rp_nn_plan *p, rp_nn_part_fn *fn, void *priv)
{
    static const uint8_t zeros[256];
    size_t at = 0;

    for (int i = 0; i < p->nbuffers; i++) {
        const struct rp_nn_buffer *const b = &p->buffer[i];

        if (b->memory != RP_NN_WEIGHTS || b->first < 0 || !b->bytes)
            continue;
        const size_t whole = b->bytes / 64 * 64, rest = b->bytes - whole;
        uint8_t last[64] = {0};

        for (; at < b->offset; at += RP_MIN(b->offset - at, sizeof(zeros)))
            RP_CHECK(fn(priv, at, zeros, RP_MIN(b->offset - at, sizeof(zeros))));
        if (whole)
            RP_CHECK(fn(priv, at, b->host, whole));
        memcpy(last, (const char *) b->host + whole, rest);
        if (rest)
            RP_CHECK(fn(priv, at + whole, last, sizeof(last)));
        at += whole + (rest ? sizeof(last) : 0);
    }
    for (; at < p->weights; at += RP_MIN(p->weights - at, sizeof(zeros)))
        RP_CHECK(fn(priv, at, zeros, RP_MIN(p->weights - at, sizeof(zeros))));
    return 0;
}

static int add_part(void *priv, size_t offset, const void *data, size_t bytes)
{
    (void) offset;
    rp_nn_sum_add(priv, data, bytes);
    return 0;
}

int rp_nn_plan_sum(const struct rp_nn_plan *p, struct rp_nn_sum *out)
{
    *out = (struct rp_nn_sum){{0}};
    return rp_nn_plan_parts(p, add_part, out);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static uint32_t shapes(void)
{
    return (uint32_t) (sizeof(union rp_nn_args) + 31 * sizeof(struct rp_nn_fix) +
                       1009 * sizeof(struct rp_nn_buffer) + 100003 * sizeof(struct head));
}

static uint32_t crc_of(const void *data, size_t size)
{
    const size_t from = offsetof(struct head, shapes);

    return rp_crc32(0, (const uint8_t *) data + from, size - from);
}

static void write_head(const struct rp_nn_plan *p, const struct rp_nn_sum *sum, struct head *h)
{
    *h = (struct head){.magic = MAGIC,
                       .shapes = shapes(),
                       .sum = *sum,
                       .arena = p->arena,
                       .weights = p->weights,
                       .nsteps = p->nsteps,
                       .nbuffers = p->nbuffers,
                       .ninputs = p->ninputs,
                       .noutputs = p->noutputs};
    memcpy(h->in, p->in, sizeof(h->in));
    memcpy(h->out, p->out, sizeof(h->out));
}

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
    if (n)
        memcpy(to, from, n);
    return to + n;
}

int rp_nn_keep(const struct rp_nn_plan *p, const struct rp_nn_sum *sum, void **out, size_t *size)
{
    uint8_t *at;
    struct head h;

    write_head(p, sum, &h);
    *size = sizeof(h) + (size_t) p->nbuffers * sizeof(*p->buffer);
    for (int i = 0; i < p->nsteps; i++)
        *size += sizeof(struct step) + rp_nn_args_size(p->step[i].op) +
                 (size_t) p->step[i].nfix * sizeof(*p->step[i].fix);
    if (!(*out = at = malloc(*size)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    at += sizeof(h);
    for (int i = 0; i < p->nbuffers; i++) {
        struct rp_nn_buffer b = p->buffer[i];

        b.host = NULL;
        b.owned = false;
        at = put(at, &b, sizeof(b));
    }
    for (int i = 0; i < p->nsteps; i++) {
        const struct rp_nn_step *const s = &p->step[i];

        at = put(at, &(struct step){(int32_t) s->op, s->nfix}, sizeof(struct step));
        at = put(at, &s->args, rp_nn_args_size(s->op));
        at = put(at, s->fix, (size_t) s->nfix * sizeof(*s->fix));
    }
    memcpy(*out, &h, sizeof(h));
    h.crc = crc_of(*out, *size);
    memcpy(*out, &h, sizeof(h));
    return 0;
}

/* ---- back ------------------------------------------------------------------------------------ */

struct bytes {
    const uint8_t *p;
    size_t n;
};

/* The next n bytes; false if there are not so many. */
static bool take(struct bytes *b, void *to, size_t n)
{
    if (n > b->n)
        return false;
    if (n)
        memcpy(to, b->p, n);
    b->p += n;
    b->n -= n;
    return true;
}

/* Pointers in the arguments were never addresses of this process. */
static bool clear_pointers(struct rp_nn_step *s)
{
    struct rp_nn_reach r[RP_NN_MAX_REACH];
    const int n = rp_nn_reach(s->op, &s->args, 0, r);

    for (int i = 0; i < n; i++)
        memset((char *) &s->args + r[i].at, 0, sizeof(void *));
    return n >= 0;
}

static bool take_step(struct bytes *b, struct rp_nn_step *s)
{
    struct step head;

    if (!take(b, &head, sizeof(head)) || head.op < 0 || head.nfix < 0 || head.nfix > RP_NN_MAX_FIX)
        return false;
    s->op = (enum rp_nn_op) head.op;
    s->nfix = head.nfix;
    const size_t n = rp_nn_args_size(s->op);
    return n && take(b, &s->args, n) && take(b, s->fix, (size_t) s->nfix * sizeof(*s->fix)) &&
           clear_pointers(s);
}

static bool take_buffers(struct bytes *b, struct rp_nn_plan *p)
{
    if (!take(b, p->buffer, (size_t) p->nbuffers * sizeof(*p->buffer)))
        return false;
    for (int i = 0; i < p->nbuffers; i++) {
        p->buffer[i].host = NULL;
        p->buffer[i].owned = false;
    }
    return true;
}

static bool is_ours(const struct head *h, const void *data, size_t size)
{
    return !memcmp(h->magic, MAGIC, sizeof(h->magic)) && h->shapes == shapes() &&
           h->crc == crc_of(data, size) && h->nsteps >= 0 && h->nsteps <= MOST_STEPS &&
           h->nbuffers >= 0 && h->nbuffers <= MOST_BUFFERS &&
           (size_t) h->nsteps <= size / sizeof(struct step) &&
           (size_t) h->nbuffers <= size / sizeof(struct rp_nn_buffer);
}

static int read_plan(struct rp_nn_plan *p, const struct head *h, struct bytes *b)
{
    bool ok;

    p->arena = h->arena;
    p->weights = h->weights;
    p->nsteps = h->nsteps;
    p->nbuffers = h->nbuffers;
    p->ninputs = h->ninputs;
    p->noutputs = h->noutputs;
    memcpy(p->in, h->in, sizeof(p->in));
    memcpy(p->out, h->out, sizeof(p->out));
    p->step = calloc((size_t) p->nsteps + 1, sizeof(*p->step));
    p->buffer = calloc((size_t) p->nbuffers + 1, sizeof(*p->buffer));
    if (!p->step || !p->buffer) {
        p->nbuffers = 0;
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    ok = take_buffers(b, p);
    for (int i = 0; ok && i < p->nsteps; i++)
        ok = take_step(b, &p->step[i]);
    return ok && !b->n && rp_nn_plan_is_sound(p) ? 0 : RP_ERR_MODEL;
}

int rp_nn_kept(struct rp_nn_plan **out, struct rp_nn_sum *sum, const void *data, size_t size)
{
    struct head h;
    struct bytes b = {data, size};

    *out = NULL;
    if (!take(&b, &h, sizeof(h)) || !is_ours(&h, data, size))
        return RP_ERR_MODEL;
    if (!(*out = calloc(1, sizeof(**out))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    *sum = h.sum;
    const int ret = read_plan(*out, &h, &b);
    if (ret < 0) {
        for (int i = 0; i < (*out)->nbuffers;
             i++) { /* if they were not read, they may be anything */
            (*out)->buffer[i].host = NULL;
            (*out)->buffer[i].owned = false;
        }
        rp_nn_plan_free(out);
    }
    return ret;
}
