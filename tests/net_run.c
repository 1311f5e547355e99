/* A network through our own operations, in C: a helper of test_nets.py.
 *
 *     net_run [--plan] [--fp16 | --tf32] MODEL FOLDER NAME:SHAPE=FILE...
 *     net_run --count MODEL NAME:SHAPE=...
 *     net_run --operators
 *
 * Each FILE has an input in the file's type, SHAPE is like 1x3x112x112. Each output is written to
 * FOLDER, with a line "NAME TYPE SHAPE FILE". If the network is not native, one line says why, and
 * the exit code is 3. --plan: also the steps, and how much memory. --count: only how many steps of
 * each kind. --fp16: stored as float16; --tf32: multiplied as TF32, as a GPU does. --operators:
 * ONNX's names of those that we know. */
#include "nets/reach.h"
#include "nets/run.h"

#define MAX_INPUTS 16

struct input {
    const char *name, *file;
    int rank;
    int64_t dim[RP_ONNX_MAX_RANK];
};

static void fail(const char *what)
{
    fprintf(stderr, "net_run: %s\n", what);
    exit(1);
}

static struct input parse(char *text)
{
    struct input in = {.name = text};
    char *const equals = strchr(text, '='), *colon;

    if (!equals)
        fail("an input is NAME:SHAPE=FILE"); /* without a file: zeros */
    *equals = 0;
    in.file = equals + 1;
    if (!(colon = strrchr(text, ':')))
        fail("an input is NAME:SHAPE=FILE");
    *colon = 0;
    for (char *p = colon + 1; *p && in.rank < RP_ONNX_MAX_RANK; p += *p == 'x')
        in.dim[in.rank++] = strtoll(p, &p, 10);
    return in;
}

static void *zeros(size_t n)
{
    void *const p = aligned_alloc(256, (RP_MAX(n, 1) + 255) / 256 * 256);

    if (!p)
        fail("out of memory");
    return memset(p, 0, n);
}

static void load(const char *path, void *to, size_t n)
{
    FILE *const f = fopen(path, "rb");

    if (!f || fread(to, 1, n, f) != n || fclose(f))
        fail(path);
}

static const struct {
    const char *name;
    int type;
    size_t bytes;
} types[] = {
    {"float32", RP_ONNX_FLOAT, 4}, {"float64", RP_ONNX_DOUBLE, 8}, {"int64", RP_ONNX_INT64, 8},
    {"int32", RP_ONNX_INT32, 4},   {"bool", RP_ONNX_BOOL, 1},
};

static size_t type_of(const struct rp_nn_shape *s)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(types); i++)
        if (types[i].type == s->type)
            return i;
    fail("a type that is not known");
    return 0;
}

static size_t bytes_of(const struct rp_nn_shape *s)
{
    size_t n = types[type_of(s)].bytes;

    for (int i = 0; i < s->rank; i++)
        n *= (size_t) s->dim[i];
    return n;
}

static void save(const char *folder, int i, struct rp_onnx_text name, const struct rp_nn_shape *s,
                 const void *data)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/out%d.raw", folder, i);
    FILE *const f = fopen(path, "wb");
    if (!f || fwrite(data, 1, bytes_of(s), f) != bytes_of(s) || fclose(f))
        fail(path);
    printf("%.*s %s ", (int) name.n, name.p, types[type_of(s)].name);
    for (int d = 0; d < s->rank; d++)
        printf("%s%lld", d ? "x" : "", (long long) s->dim[d]);
    printf("%s %s\n", s->rank ? "" : "scalar", path);
}

/* Does it touch a tensor of float16? */
static bool is_half(const struct rp_nn_plan *p, const struct rp_nn_step *s)
{
    bool half = false;

    for (int i = 0; i < s->nfix; i++)
        half |= p->buffer[s->fix[i].buffer].type == RP_ACT_F16;
    return half;
}

static const char *const names[] = {
#define NAME(name) #name,
    RP_NET_OPS(NAME)
#undef NAME
};

/* The ONNX names of all kinds that are not only ours. */
static void list_operators(void)
{
#define NAME(ours, theirs) theirs "\n"
    static const char text[] = RP_NN_KINDS(NAME) "Upsample\n";
#undef NAME

    for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
        if (*p != '\n')
            printf("%.*s\n", (int) strcspn(p, "\n"), p);
}

/* Steps of each kind, and what convolutions do beside their sum. */
static void count_steps(const struct rp_nn_plan *p)
{
    int n[RP_ARRAY_LEN(names)] = {0}, up = 0, shuffled = 0, also = 0, add = 0, affine = 0;

    for (int i = 0; i < p->nsteps; i++) {
        const struct rp_op_net_conv *const c = &p->step[i].args.net_conv;

        n[p->step[i].op]++;
        if (p->step[i].op != RP_NN_OP_net_conv)
            continue;
        up += c->up > 1;
        shuffled += c->shuffle > 1;
        also += c->also.to.c > 0;
        add += c->add.c > 0;
        affine += c->groups > 1 && c->kh * c->kw == 1 && c->groups == c->src.c;
    }
    printf("# %d steps:", p->nsteps);
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++)
        if (n[i])
            printf(" %s %d", names[i] + strlen("net_"), n[i]);
    printf("; of conv: up %d, shuffle %d, also %d, add %d, affine %d; arena %.1f MB\n", up,
           shuffled, also, add, affine, (double) p->arena / 1e6);
}

static void show(const struct rp_nn_plan *p)
{
    for (int i = 0; i < p->nsteps; i++) {
        const struct rp_nn_step *const s = &p->step[i];

        printf("# %s%s", names[s->op], is_half(p, s) ? " fp16" : "");
        if (s->op == RP_NN_OP_net_conv)
            printf(" %dx%d /%d %dx%dx%d > %dx%dx%d fn %d add %d up %d shuffle %d also %d",
                   s->args.net_conv.kh, s->args.net_conv.kw, s->args.net_conv.stride_h,
                   s->args.net_conv.src.h, s->args.net_conv.src.w, s->args.net_conv.src.c,
                   s->args.net_conv.dst.h, s->args.net_conv.dst.w, s->args.net_conv.dst.c,
                   s->args.net_conv.then.fn, s->args.net_conv.add.c != 0, s->args.net_conv.up,
                   s->args.net_conv.shuffle, s->args.net_conv.also.to.c != 0);
        printf("\n");
    }
    printf("# %d steps, arena %zu, weights %zu\n", p->nsteps, p->arena, p->weights);
}

static void run(struct rp_nn_graph *g, const struct rp_nn_plan *plan, const struct input *in,
                int nin, enum rp_net_product product, const char *folder)
{
    struct rp_nn_run *r;
    void *const weights = zeros(plan->weights);
    struct rp_nn_place place = {.arena = zeros(plan->arena), .weights = weights};

    rp_nn_plan_weights(plan, weights);
    for (int i = 0; i < plan->ninputs; i++) {
        const struct rp_onnx_text name = g->value[g->input[i]].name;

        place.in[i] = zeros(bytes_of(&plan->in[i]));
        for (int k = 0; k < nin; k++)
            if (rp_onnx_is(name, in[k].name) && in[k].file[0])
                load(in[k].file, place.in[i], bytes_of(&plan->in[i]));
    }
    for (int i = 0; i < plan->noutputs; i++)
        place.out[i] = zeros(bytes_of(&plan->out[i]));
    if (rp_nn_run_create(&r, plan, &place) < 0)
        fail("no run");
    rp_nn_run_multiply(r, product);
    const double start = rp_now();
    if (rp_nn_run_go(r, &rp_ops_c, NULL) < 0)
        fail("a step failed");
    printf("# %.3f s\n", rp_now() - start);
    for (int i = 0; i < plan->noutputs; i++)
        save(folder, i, rp_onnx_value(g->onnx, g->output_name[i])->name, &plan->out[i],
             place.out[i]);
    for (int i = 0; i < plan->ninputs; i++)
        free(place.in[i]);
    for (int i = 0; i < plan->noutputs; i++)
        free(place.out[i]);
    free(place.arena);
    free(weights);
    rp_nn_run_free(&r);
}

int main(int argc, char **argv)
{
    int ret, nin = 0;
    struct rp_onnx_image file;
    struct rp_onnx *onnx;
    struct input in[MAX_INPUTS];
    const int64_t *dims[MAX_INPUTS] = {0};
    const int *inputs;
    struct rp_nn_graph *g;
    struct rp_nn_plan *plan = NULL;
    bool shown = false, counted = false;
    enum rp_act_type storage = RP_ACT_F32;
    enum rp_net_product product = RP_PRODUCT_QUICK;

    for (; argc > 1 && !strncmp(argv[1], "--", 2); argv++, argc--) {
        if (!strcmp(argv[1], "--operators")) {
            list_operators();
            return 0;
        }
        shown |= !strcmp(argv[1], "--plan");
        counted |= !strcmp(argv[1], "--count");
        storage = !strcmp(argv[1], "--fp16") ? RP_ACT_F16 : storage;
        product = !strcmp(argv[1], "--tf32") ? RP_PRODUCT_TF32 : product;
    }
    if (argc < 3 - counted)
        fail("net_run [--plan] [--fp16 | --tf32] MODEL FOLDER NAME:SHAPE=FILE...");
    for (int i = 3 - counted; i < argc && nin < MAX_INPUTS; i++)
        in[nin++] = parse(argv[i]);
    if (rp_onnx_load(&file, argv[1]) < 0 || rp_onnx_read(&onnx, argv[1], file.data, file.size) < 0)
        return 1;
    for (int i = 0; i < RP_MIN(rp_onnx_inputs(onnx, &inputs), MAX_INPUTS); i++)
        for (int k = 0; k < nin; k++)
            if (rp_onnx_is(rp_onnx_value(onnx, inputs[i])->name, in[k].name))
                dims[i] = in[k].dim;
    ret = rp_nn_graph_read(&g, argv[1], file.data, file.size, dims);
    if (ret >= 0)
        ret = rp_nn_plan_make(&plan, g, storage);
    if (ret >= 0 && shown)
        show(plan);
    if (ret >= 0 && !rp_nn_plan_is_sound(plan))
        fail("a step leaves its buffer's memory");
    if (ret >= 0 && counted)
        count_steps(plan);
    else if (ret >= 0)
        run(g, plan, in, nin, product, argv[2]);
    else if (g)
        printf("not native: %s\n", g->why);
    rp_nn_plan_free(&plan);
    rp_nn_graph_free(&g);
    rp_onnx_close(&onnx);
    rp_onnx_unmap(&file);
    return ret >= 0 ? 0 : ret == RP_ERR_UNSUPPORTED ? 3 : 1;
}
