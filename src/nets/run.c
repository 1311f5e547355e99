#include "nets/run.h"

#include "ops/ops.h"

struct bind {
    int step, input;
    size_t at;
    int64_t bytes;
};

struct rp_nn_run {
    int nsteps, nbinds;
    struct {
        enum rp_nn_op op;
        union rp_nn_args args;
    } * step;
    struct bind *bind; /* of inputs */
};

int rp_nn_do(const struct rp_ops *ops, struct rp_stream *stream, enum rp_nn_op op,
             const union rp_nn_args *args)
{
    switch (op) {
#define DO(name)          \
    case RP_NN_OP_##name: \
        return ops->name(stream, &args->name);
        RP_NET_OPS(DO)
#undef DO
    default:
        return RP_ERR_INVALID;
    }
}

static char *base_of(const struct rp_nn_buffer *b, const struct rp_nn_place *place)
{
    switch (b->memory) {
    case RP_NN_ARENA:
        return (char *) place->arena + b->offset;
    case RP_NN_WEIGHTS:
        return (char *) place->weights + b->offset;
    case RP_NN_INPUT:
        return place->in[b->index];
    default:
        return place->out[b->index];
    }
}

static void fill_in(struct rp_nn_run *run, const struct rp_nn_plan *plan,
                    const struct rp_nn_place *place)
{
    for (int i = 0; i < plan->nsteps; i++) {
        const struct rp_nn_step *const s = &plan->step[i];

        run->step[i].op = s->op;
        run->step[i].args = s->args;
        for (int k = 0; k < s->nfix; k++) {
            const struct rp_nn_buffer *const b = &plan->buffer[s->fix[k].buffer];
            char *const p = base_of(b, place) + s->fix[k].bytes;

            memcpy((char *) &run->step[i].args + s->fix[k].at, &p, sizeof(p));
            if (b->memory == RP_NN_INPUT)
                run->bind[run->nbinds++] =
                    (struct bind){i, b->index, s->fix[k].at, s->fix[k].bytes};
        }
    }
}

int rp_nn_run_create(struct rp_nn_run **out, const struct rp_nn_plan *plan,
                     const struct rp_nn_place *place)
{
    int binds = 0;
    struct rp_nn_run *const run = *out = calloc(1, sizeof(*run));

    for (int i = 0; i < plan->nsteps; i++)
        for (int k = 0; k < plan->step[i].nfix; k++)
            binds += plan->buffer[plan->step[i].fix[k].buffer].memory == RP_NN_INPUT;
    if (run) {
        run->nsteps = plan->nsteps;
        run->step = calloc((size_t) plan->nsteps + 1, sizeof(*run->step));
        run->bind = calloc((size_t) binds + 1, sizeof(*run->bind));
    }
    if (!run || !run->step || !run->bind) {
        rp_nn_run_free(out);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    fill_in(run, plan, place);
    return 0;
}

void rp_nn_run_bind_input(struct rp_nn_run *run, int index, void *data)
{
    for (int i = 0; i < run->nbinds; i++) {
        const struct bind *const b = &run->bind[i];
        char *const p = (char *) data + b->bytes;

        if (b->input == index)
            memcpy((char *) &run->step[b->step].args + b->at, &p, sizeof(p));
    }
}

enum rp_op_number rp_nn_op_number(enum rp_nn_op op)
{
    static const enum rp_op_number number[] = {
#define NUMBER(name) [RP_NN_OP_##name] = RP_OP_NUMBER_##name,
        RP_NET_OPS(NUMBER)
#undef NUMBER
    };

    return number[op];
}

int rp_nn_run_steps(const struct rp_nn_run *run)
{
    return run->nsteps;
}

enum rp_op_number rp_nn_run_step(const struct rp_nn_run *run, int i, const void **args)
{
    *args = &run->step[i].args;
    return rp_nn_op_number(run->step[i].op);
}

int rp_nn_run_go_step(const struct rp_nn_run *run, const struct rp_ops *ops,
                      struct rp_stream *stream, int i)
{
    return rp_nn_do(ops, stream, run->step[i].op, &run->step[i].args);
}

void rp_nn_run_multiply(struct rp_nn_run *run, enum rp_net_product product)
{
    for (int i = 0; i < run->nsteps; i++)
        if (run->step[i].op == RP_NN_OP_net_conv)
            run->step[i].args.net_conv.product = product;
}

int rp_nn_run_go(const struct rp_nn_run *run, const struct rp_ops *ops, struct rp_stream *stream)
{
    for (int i = 0; i < run->nsteps; i++)
        RP_CHECK(rp_nn_run_go_step(run, ops, stream, i));
    return 0;
}

void rp_nn_run_free(struct rp_nn_run **run)
{
    if (!*run)
        return;
    free((*run)->step);
    free((*run)->bind);
    free(*run);
    *run = NULL;
}
