#include "onnx/edit.h"

enum { DIM_VALUE = 1 };

struct rp_onnx_dims rp_onnx_dims(struct rp_onnx_text value_info)
{
    return (struct rp_onnx_dims){.at = {rp_wire_over(value_info)}};
}

bool rp_onnx_next_dim(struct rp_onnx_dims *dims, struct rp_onnx_text *dim)
{
    /* type, tensor_type, shape, dim */
    static const int numbers[RP_ARRAY_LEN(dims->at)] = {2, 1, 2, 1};
    const int last = RP_ARRAY_LEN(numbers) - 1;
    struct rp_field f;

    while (dims->depth >= 0) {
        if (!rp_wire_next(&dims->at[dims->depth], &f)) {
            dims->depth--;
        } else if (f.number == numbers[dims->depth] && f.kind == RP_WIRE_BYTES) {
            if (dims->depth == last) {
                *dim = f.text;
                return true;
            }
            dims->at[++dims->depth] = rp_wire_over(f.text);
        }
    }
    return false;
}

bool rp_onnx_stated(struct rp_onnx_text dim, struct rp_onnx_stated *out)
{
    struct rp_field f;
    struct rp_wire w = rp_wire_over(dim);

    for (const uint8_t *key = w.p; rp_wire_next(&w, &f); key = w.p) {
        if (*key != RP_WIRE_KEY(DIM_VALUE, RP_WIRE_VARINT))
            continue;
        *out = (struct rp_onnx_stated){key, w.p - 1, f.v};
        return true;
    }
    return false;
}

uint8_t *rp_onnx_byte(const struct rp_onnx_image *image, const void *p)
{
    return (uint8_t *) image->data + ((const uint8_t *) p - (const uint8_t *) image->data);
}
