/* Numbers of rows: see struct rp_op_rows. */
#ifndef RP_OPS_ROWS_CORE_H
#define RP_OPS_ROWS_CORE_H

#include "ops/core.h"
#include "ops/ops.h"

RP_FN int rp_rows_here(int count, int most, int group)
{
    const int left = count > 0 && group >= 0 && group <= count / most ? count - group * most : 0;

    return left < most ? left : most;
}

/* Smallest b with 2^b >= rows; -1 if there are no rows. */
RP_FN int rp_rows_bucket(int rows)
{
    int b = 0;

    if (rows <= 0)
        return -1;
    while (1 << b < rows)
        b++;
    return b;
}

RP_FN void rp_rows_step(const struct rp_op_rows *a)
{
    const int count = *a->count;

    if (a->most < 1)
        return;
    if (a->step == RP_ROWS_COUNT) {
        a->at->groups = count > 0 ? (count - 1) / a->most + 1 : 0;
    } else if (a->step == RP_ROWS_GROUP) {
        a->at->rows = rp_rows_here(count, a->most, a->at->group);
        a->at->bucket = rp_rows_bucket(a->at->rows);
    } else {
        *a->index =
            (int32_t) ((uint32_t) a->at->group * (uint32_t) a->most + (uint32_t) a->at->row);
    }
}

/* Where the row begins, in bytes; false when there is no such row. */
RP_FN int rp_row_offset(const struct rp_op_row_copy *a, size_t *offset)
{
    const int row = a->at->row;

    *offset = row >= 0 && row < a->most ? (size_t) row * a->bytes : 0;
    return row >= 0 && row < a->most;
}

RP_FN void rp_lockstep_turn(const struct rp_op_lockstep *a)
{
    int32_t most = 0;

    for (int i = 0; i < a->n && i < RP_MAX_LANES; i++) {
        const int live = !a->live || a->live[i] == 0;

        if (a->step == RP_LOCKSTEP_MOST) {
            most = live && *a->count[i] > most ? *a->count[i] : most;
        } else if (live) {
            *a->index[i] = *a->turn;
            a->go[i] = *a->turn < *a->count[i] ? 0 : -1;
        } else {
            a->go[i] = -1;
        }
    }
    if (a->step == RP_LOCKSTEP_MOST)
        *a->most = most;
}

#endif /* RP_OPS_ROWS_CORE_H */
