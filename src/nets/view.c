#include "nets/view.h"

int64_t rp_nn_count(const struct rp_nn_view *v)
{
    int64_t n = 1;

    for (int i = 0; i < v->rank; i++)
        n *= v->dim[i];
    return n;
}

int64_t rp_nn_dense(struct rp_nn_view *v, int rank, const int64_t *dim, const int *order)
{
    int64_t step = 1;

    v->at = 0;
    v->rank = rank;
    v->clean = true;
    for (int i = rank - 1; i >= 0; i--) {
        const int axis = order[i];

        v->order[i] = axis;
        v->dim[axis] = dim[axis];
        v->step[axis] = step;
        if (dim[axis] < 0 || (dim[axis] > 0 && step > RP_NN_MAX_ELEMENTS / dim[axis]))
            return -1;
        step *= dim[axis];
        if (i == rank - 1)
            step = RP_ACT_ROUND(step);
    }
    return rank ? step : 8;
}

void rp_nn_flat(struct rp_nn_view *v, int rank, const int64_t *dim)
{
    int64_t step = 1;

    v->at = 0;
    v->rank = rank;
    v->clean = false;
    for (int i = rank - 1; i >= 0; i--) {
        v->order[i] = i;
        v->dim[i] = dim[i];
        v->step[i] = step;
        step *= dim[i];
    }
}

void rp_nn_order(int rank, bool channels, int *order)
{
    for (int i = 0; i < rank; i++)
        order[i] = i;
    if (!channels || rank < 3)
        return;
    for (int i = 1; i < rank - 1; i++)
        order[i] = i + 1;
    order[rank - 1] = 1;
}

/* ---- changing a view ------------------------------------------------------------------------- */

bool rp_nn_raise(struct rp_nn_view *v, int rank)
{
    const int more = rank - v->rank;

    if (more < 0 || rank > RP_NN_RANK)
        return false;
    for (int i = v->rank - 1; i >= 0; i--) {
        v->dim[i + more] = v->dim[i];
        v->step[i + more] = v->step[i];
        v->order[i + more] = v->order[i] + more;
    }
    for (int i = 0; i < more; i++) {
        v->dim[i] = 1;
        v->step[i] = 0;
        v->order[i] = i;
    }
    if (!v->rank) /* one number: what follows it is known only from an axis */
        v->clean = false;
    v->rank = rank;
    return true;
}

void rp_nn_transpose(struct rp_nn_view *v, const int *perm)
{
    const struct rp_nn_view old = *v;
    int now[RP_NN_RANK];

    for (int i = 0; i < v->rank; i++) {
        v->dim[i] = old.dim[perm[i]];
        v->step[i] = old.step[perm[i]];
        now[perm[i]] = i;
    }
    for (int i = 0; i < v->rank; i++)
        v->order[i] = now[old.order[i]];
}

void rp_nn_slice(struct rp_nn_view *v, int axis, int64_t from, int64_t count, int64_t by)
{
    const bool inner = v->rank && v->order[v->rank - 1] == axis;

    if (inner && (by != 1 || from + count != v->dim[axis]))
        v->clean = false;
    v->at += from * v->step[axis];
    v->dim[axis] = count;
    v->step[axis] *= by;
}

/* One old axis, or several that lie together like one, becomes several new ones. */
struct run {
    int64_t size, step;
    int first, last; /* old axes, in the file's order, without those of size 1 */
};

/* Old axes that lie in memory like one: step of each is that of the next times its size. */
static int join(const struct rp_nn_view *v, struct run *run)
{
    int n = 0;

    for (int i = 0; i < v->rank; i++) {
        if (v->dim[i] == 1)
            continue;
        if (n && run[n - 1].step == v->dim[i] * v->step[i]) {
            run[n - 1].size *= v->dim[i];
            run[n - 1].step = v->step[i];
            run[n - 1].last = i;
        } else {
            run[n++] = (struct run){v->dim[i], v->step[i], i, i};
        }
    }
    return n;
}

/* New axes take their sizes from the runs, from the last one on. */
static bool deal(struct run *run, int runs, int rank, const int64_t *dim, int64_t *step, int *of)
{
    int r = runs - 1;
    int64_t left = r >= 0 ? run[r].size : 1, at = r >= 0 ? run[r].step : 1;

    for (int i = rank - 1; i >= 0; i--) {
        of[i] = -1;
        step[i] = at;
        if (dim[i] == 1)
            continue;
        while (left == 1 && r > 0) {
            r--;
            left = run[r].size;
            at = step[i] = run[r].step;
        }
        if (r < 0 || left % dim[i])
            return false;
        of[i] = r;
        left /= dim[i];
        at *= dim[i];
    }
    return true;
}

/* The order in memory of new axes is that of their runs. Axes of size 1 stay before the axis that
 * follows them in the file's order; last ones go first. */
static void order_axes(struct rp_nn_view *v, int runs, const int *place, const int *of)
{
    int n = 0, next[RP_NN_RANK] = {0};
    int following = -1;

    for (int i = v->rank - 1; i >= 0; i--) {
        if (of[i] >= 0)
            following = of[i];
        next[i] = of[i] >= 0 ? of[i] : following;
    }
    for (int i = 0; i < v->rank; i++)
        if (next[i] < 0)
            v->order[n++] = i;
    for (int p = 0; p < runs; p++)
        for (int i = 0; i < v->rank; i++)
            if (next[i] == place[p])
                v->order[n++] = i;
}

bool rp_nn_reshape(struct rp_nn_view *v, int rank, const int64_t *dim)
{
    struct run run[RP_NN_RANK];
    int of[RP_NN_RANK], place[RP_NN_RANK], placed = 0;
    const int runs = join(v, run);
    struct rp_nn_view now = {.buffer = v->buffer, .at = v->at, .rank = rank, .clean = v->clean};
    const int inner = v->rank ? v->order[v->rank - 1] : -1;

    if (rp_nn_count(v) == 0 || !deal(run, runs, rank, dim, now.step, of))
        return false;
    for (int i = 0; i < v->rank; i++) /* runs from the outermost to the innermost */
        for (int r = 0; r < runs; r++)
            if (run[r].last == v->order[i])
                place[placed++] = r;
    if (rank)
        memcpy(now.dim, dim, (size_t) rank * sizeof(*dim));
    order_axes(&now, placed, place, of);
    /* the zeros are behind the same axis still, if its size is the same */
    now.clean &= rank > 0 && inner >= 0 && now.step[now.order[rank - 1]] == v->step[inner] &&
                 now.dim[now.order[rank - 1]] == v->dim[inner];
    *v = now;
    return true;
}

bool rp_nn_expand(struct rp_nn_view *v, int rank, const int64_t *dim)
{
    if (!rp_nn_raise(v, RP_MAX(rank, v->rank)) || v->rank != rank)
        return false;
    for (int i = 0; i < rank; i++) {
        if (v->dim[i] == dim[i])
            continue;
        if (v->dim[i] != 1)
            return false;
        v->dim[i] = dim[i];
        v->step[i] = 0;
        v->clean &= v->order[rank - 1] != i;
    }
    return true;
}

/* ---- as an operation's tensor ---------------------------------------------------------------- */

bool rp_nn_parts_nchw(int rank, struct rp_nn_parts *p)
{
    if (rank < 2 || rank > 4)
        return false;
    *p = (struct rp_nn_parts){.rank = rank};
    rp_nn_order(rank, true, p->order);
    for (int i = 1; i < rank - 1; i++)
        p->part[i] = 4 - rank + i;
    p->part[rank - 1] = 3;
    return true;
}

bool rp_nn_parts_masked(const struct rp_nn_view *v, const unsigned *mask, struct rp_nn_parts *p)
{
    int part = 2;
    bool begun = false;
    unsigned now = 0;

    p->rank = v->rank;
    for (int i = v->rank - 1; i >= 0; i--) {
        const int axis = v->order[i];

        p->order[i] = axis;
        if (i == v->rank - 1) {
            p->part[i] = 3;
            continue;
        }
        if (v->dim[axis] != 1 && begun && mask[axis] != now && --part < 0)
            return false;
        if (v->dim[axis] != 1) {
            now = mask[axis];
            begun = true;
        }
        p->part[i] = part;
    }
    return true;
}

bool rp_nn_as_act(const struct rp_nn_view *v, const struct rp_nn_parts *parts,
                  struct rp_nn_act *out)
{
    int64_t size[4] = {1, 1, 1, 1}, ld = 0, step = 1;
    const int inner = v->rank ? parts->order[v->rank - 1] : -1;

    if (v->rank != parts->rank || v->at % 8 || rp_nn_count(v) > INT32_MAX || inner < 0)
        return false;
    size[3] = v->dim[inner];
    if (size[3] != 1 && v->step[inner] != 1)
        return false;
    if (size[3] % 8 && !(v->clean && v->order[v->rank - 1] == inner))
        return false;
    for (int i = v->rank - 2; i >= 0; i--) {
        const int axis = parts->order[i];

        if (parts->part[i] > 2)
            return false;
        size[parts->part[i]] *= v->dim[axis];
        if (v->dim[axis] == 1)
            continue;
        if (!ld)
            ld = step = v->step[axis];
        if (v->step[axis] != step || ld < RP_ACT_ROUND(size[3]) || ld % 8 || ld > INT32_MAX)
            return false;
        step *= v->dim[axis];
    }
    *out = (struct rp_nn_act){v->buffer,
                              v->at,
                              (int) size[0],
                              (int) size[1],
                              (int) size[2],
                              (int) size[3],
                              (int) (ld ? ld : RP_ACT_ROUND(size[3]))};
    return size[0] * size[1] * size[2] * out->ld <= INT32_MAX;
}

/* ---- copies ---------------------------------------------------------------------------------- */

bool rp_nn_copy(const struct rp_nn_view *from, const struct rp_nn_view *to,
                struct rp_op_net_copy *out)
{
    int n = RP_NET_AXES;
    const int inner = to->rank ? to->order[to->rank - 1] : -1;

    *out = (struct rp_op_net_copy){0};
    for (int i = 0; i < RP_NET_AXES; i++)
        out->size[i] = 1;
    if (inner >= 0 && to->clean && to->step[inner] == 1)
        out->zeros = (int) ((8 - (to->at + to->dim[inner]) % 8) % 8);
    for (int i = to->rank - 1; i >= 0; i--) {
        const int axis = to->order[i];
        const int64_t size = to->dim[axis];

        if (size > INT32_MAX)
            return false;
        /* the innermost axis stays by itself if zeros follow it */
        if (size == 1 && (axis != inner || !out->zeros))
            continue;
        if (n < RP_NET_AXES && !(out->zeros && n == RP_NET_AXES - 1) &&
            from->step[axis] == out->size[n] * out->src_step[n] &&
            to->step[axis] == out->size[n] * out->dst_step[n] && size * out->size[n] <= INT32_MAX) {
            out->size[n] *= (int) size;
            continue;
        }
        if (--n < 0)
            return false;
        out->size[n] = (int) size;
        out->src_step[n] = from->step[axis];
        out->dst_step[n] = to->step[axis];
    }
    return true;
}
