/* Reading the protobuf wire format: the fields of a message, one after the other. */
#ifndef RP_ONNX_WIRE_H
#define RP_ONNX_WIRE_H

#include "onnx/onnx.h"

struct rp_wire {
    const uint8_t *p, *end;
    bool bad;
};

enum { RP_WIRE_VARINT = 0, RP_WIRE_64 = 1, RP_WIRE_BYTES = 2, RP_WIRE_32 = 5 };

/* The key of a field whose number is below 16, which is one byte. */
#define RP_WIRE_KEY(number, kind) ((number) << 3 | (kind))

struct rp_field {
    int number, kind;
    uint64_t v;               /* of numbers */
    struct rp_onnx_text text; /* of RP_WIRE_BYTES, else empty */
};

struct rp_wire rp_wire_over(struct rp_onnx_text text);

/* The next field; false at the end, or when the rest makes no sense (then w->bad). */
bool rp_wire_next(struct rp_wire *w, struct rp_field *f);

/* The first field of this number that has bytes; empty if there is none. */
struct rp_onnx_text rp_wire_part(struct rp_onnx_text message, int number);

/* A number without a key, as packed ones are. */
bool rp_wire_varint(struct rp_wire *w, uint64_t *out);

/* Append the numbers of a repeated field, packed or not. False if there are more than cap. */
bool rp_wire_ints(const struct rp_field *f, int64_t *out, int cap, int *n);
bool rp_wire_floats(const struct rp_field *f, float *out, int cap, int *n);

#endif /* RP_ONNX_WIRE_H */
