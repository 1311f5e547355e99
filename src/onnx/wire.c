#include "onnx/wire.h"

bool rp_wire_varint(struct rp_wire *w, uint64_t *out)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64 && w->p < w->end; shift += 7) {
        const uint8_t b = *w->p++;

        v |= (uint64_t) (b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* Little-endian number of n bytes. */
static bool fixed(struct rp_wire *w, int n, uint64_t *out)
{
    uint64_t v = 0;

    if (w->end - w->p < n)
        return false;
    for (int i = 0; i < n; i++)
        v |= (uint64_t) w->p[i] << (8 * i);
    w->p += n;
    *out = v;
    return true;
}

static bool bytes(struct rp_wire *w, struct rp_onnx_text *out)
{
    uint64_t n;

    if (!rp_wire_varint(w, &n) || n > (uint64_t) (w->end - w->p))
        return false;
    *out = (struct rp_onnx_text){(const char *) w->p, (size_t) n};
    w->p += n;
    return true;
}

struct rp_wire rp_wire_over(struct rp_onnx_text text)
{
    const uint8_t *const p = (const uint8_t *) text.p;

    return (struct rp_wire){.p = p, .end = text.n ? p + text.n : p};
}

bool rp_wire_next(struct rp_wire *w, struct rp_field *f)
{
    uint64_t key;

    if (w->bad || w->p == w->end)
        return false;
    *f = (struct rp_field){0};
    w->bad = true;
    if (!rp_wire_varint(w, &key) || key >> 3 == 0 || key >> 3 > INT32_MAX)
        return false;
    f->number = (int) (key >> 3);
    f->kind = (int) (key & 7);
    if (f->kind == RP_WIRE_VARINT)
        w->bad = !rp_wire_varint(w, &f->v);
    else if (f->kind == RP_WIRE_64)
        w->bad = !fixed(w, 8, &f->v);
    else if (f->kind == RP_WIRE_BYTES)
        w->bad = !bytes(w, &f->text);
    else if (f->kind == RP_WIRE_32)
        w->bad = !fixed(w, 4, &f->v);
    return !w->bad;
}

struct rp_onnx_text rp_wire_part(struct rp_onnx_text message, int number)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    while (rp_wire_next(&w, &f))
        if (f.number == number && f.kind == RP_WIRE_BYTES)
            return f.text;
    return (struct rp_onnx_text){0};
}

bool rp_wire_ints(const struct rp_field *f, int64_t *out, int cap, int *n)
{
    uint64_t v;
    struct rp_wire w = rp_wire_over(f->text);

    if (f->kind == RP_WIRE_VARINT) {
        if (*n == cap)
            return false;
        out[(*n)++] = (int64_t) f->v;
        return true;
    }
    if (f->kind != RP_WIRE_BYTES)
        return false;
    while (w.p < w.end) {
        if (*n == cap || !rp_wire_varint(&w, &v))
            return false;
        out[(*n)++] = (int64_t) v;
    }
    return true;
}

static float float_of(uint64_t bits)
{
    const uint32_t u = (uint32_t) bits;
    float v;

    memcpy(&v, &u, sizeof(v));
    return v;
}

bool rp_wire_floats(const struct rp_field *f, float *out, int cap, int *n)
{
    uint64_t v;
    struct rp_wire w = rp_wire_over(f->text);

    if (f->kind == RP_WIRE_32) {
        if (*n == cap)
            return false;
        out[(*n)++] = float_of(f->v);
        return true;
    }
    if (f->kind != RP_WIRE_BYTES)
        return false;
    while (w.p < w.end) {
        if (*n == cap || !fixed(&w, 4, &v))
            return false;
        out[(*n)++] = float_of(v);
    }
    return true;
}

bool rp_onnx_is(struct rp_onnx_text text, const char *word)
{
    return strlen(word) == text.n && (text.n == 0 || !memcmp(text.p, word, text.n));
}

bool rp_onnx_same(struct rp_onnx_text a, struct rp_onnx_text b)
{
    return a.n == b.n && (a.n == 0 || !memcmp(a.p, b.p, a.n));
}
