/* Tensors in a file: their sizes, and their elements in each encoding. */
#include <math.h>

#include "onnx/impl.h"

int rp_onnx_type_size(int type)
{
    static const unsigned char size[] = {
        [1] = 4, [2] = 1,  [3] = 1,  [4] = 2,  [5] = 2,  [6] = 4,  [7] = 8,
        [9] = 1, [10] = 2, [11] = 8, [12] = 4, [13] = 8, [16] = 2,
    };

    return type > 0 && type < (int) RP_ARRAY_LEN(size) ? size[type] : 0;
}

double rp_onnx_elements(int rank, const int64_t *dim)
{
    double n = rank < 0 ? -1 : 1;

    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0)
            return -1;
        n *= (double) dim[i];
    }
    return n;
}

bool rp_onnx_parse_tensor(struct rp_onnx_text message, struct rp_onnx_tensor *t)
{
    int rank = 0;
    bool fits = true;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(message);

    *t = (struct rp_onnx_tensor){.message = message, .offset = -1};
    while (rp_wire_next(&w, &f)) {
        if (f.number == 1)
            fits &= rp_wire_ints(&f, t->dim, RP_ONNX_MAX_RANK, &rank);
        else if (f.number == 2 && f.kind == RP_WIRE_VARINT)
            t->type = f.v < 64 ? (int) f.v : 0;
        else if (f.number == 8)
            t->name = f.text;
        else if (f.number == 9)
            t->raw = f.text;
    }
    for (int i = 0; i < rank; i++)
        fits &= t->dim[i] >= 0 && t->dim[i] <= RP_ONNX_MAX_DIM;
    t->rank = fits ? rank : -1;
    if (fits)
        t->bytes = rp_onnx_elements(rank, t->dim) * rp_onnx_type_size(t->type);
    return !w.bad;
}

static float from_half(uint16_t h)
{
    const int e = h >> 10 & 31, m = h & 1023;
    const float v = e == 0    ? ldexpf((float) m, -24)
                    : e == 31 ? (m ? NAN : INFINITY)
                              : ldexpf((float) (m + 1024), e - 25);

    return h >> 15 ? -v : v;
}

/* Element i of a packed array. */
static float element(int type, const char *p, size_t i)
{
    float f;
    double d;
    uint16_t h;

    if (type == RP_ONNX_FLOAT)
        return memcpy(&f, p + 4 * i, sizeof(f)), f;
    if (type == RP_ONNX_DOUBLE)
        return memcpy(&d, p + 8 * i, sizeof(d)), (float) d;
    return memcpy(&h, p + 2 * i, sizeof(h)), from_half(h);
}

/* Packed numbers of fixed size are stored like raw data; float16 as int32_data, one varint each. */
static bool add_floats(const struct rp_onnx_tensor *t, const struct rp_field *f, float *out,
                       size_t n, size_t *have)
{
    uint64_t v;
    struct rp_wire w = rp_wire_over(f->text);
    const size_t size = (size_t) rp_onnx_type_size(t->type);
    const int packed = t->type == RP_ONNX_FLOAT ? 4 : t->type == RP_ONNX_DOUBLE ? 10 : 0;

    if (f->kind != RP_WIRE_BYTES)
        return f->number != 4 && f->number != 5 && f->number != 10;
    if (f->number == 9 || f->number == packed) {
        if (f->text.n % size || f->text.n / size > n - *have)
            return false;
        for (size_t i = 0; i < f->text.n / size; i++)
            out[(*have)++] = element(t->type, f->text.p, i);
    }
    while (f->number == 5 && t->type == RP_ONNX_HALF && w.p < w.end) {
        if (*have == n || !rp_wire_varint(&w, &v))
            return false;
        out[(*have)++] = from_half((uint16_t) v);
    }
    return true;
}

bool rp_onnx_floats(const struct rp_onnx_tensor *weight, float *out, size_t n)
{
    size_t have = 0;
    struct rp_field f;
    struct rp_wire w = rp_wire_over(weight->message);

    if (weight->type != RP_ONNX_FLOAT && weight->type != RP_ONNX_HALF &&
        weight->type != RP_ONNX_DOUBLE)
        return false;
    while (rp_wire_next(&w, &f))
        if (!add_floats(weight, &f, out, n, &have))
            return false;
    return have == n;
}
