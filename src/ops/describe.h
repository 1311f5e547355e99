/* Describes an operation from its arguments: for people, for totals and for hashes of recorded
 * work.
 *
 * The text holds everything that is not an address; the addresses are listed separately, with
 * names, in a fixed order. So two calls with the same text and the same addresses do the same work.
 * The list includes addresses in host memory that are read when the work is launched (struct
 * rp_planes); of the planes the text gives the format but not the strides.
 *
 * Device memory is never read: bytes and operations follow from the sizes alone. What depends on
 * pixels counts at its maximum. */
#ifndef RP_OPS_DESCRIBE_H
#define RP_OPS_DESCRIBE_H

#include "ops/ops.h"

#define RP_OP_ADDRESSES 24

struct rp_op_address {
    const char *name;     /* of the argument */
    const void *at;       /* NULL: not given */
    double read, written; /* bytes, at most; 0 for an address that is not given */
};

struct rp_op_facts {
    char text[640];
    struct rp_op_address address[RP_OP_ADDRESSES];
    int addresses;
    double read, written; /* of all addresses */
    double flop;          /* on pixels and values; 0: few, or not known from sizes */
};

const char *rp_op_name(enum rp_op_number op); /* "warp" */

/* @param args  a struct rp_op_NAME */
void rp_op_describe(enum rp_op_number op, const void *args, struct rp_op_facts *out);

#endif /* RP_OPS_DESCRIBE_H */
