/* What a network is given of a source: an aligned crop, or an embedding in the network's own space.
 * Made once for each source, before the job; FaceFusion does it for every tile of every face. */
#include "processors/face_swapper.h"

#include <math.h>

#include "onnx/onnx.h"

#define LENGTH 512 /* of an embedding */

/* Source number `row`: those of --face-map, then that of --source-paths. */
static const struct rp_source *source_of(const struct rp_sources *all, int row)
{
    return row < all->n ? &all->map[row] : &all->main;
}

/* ---- pictures -------------------------------------------------------------------------------- */

struct cropper {
    struct rp_affine *affine;
    struct rp_img crop;
    float *lut;
};

static int make_cropper(struct cropper *c, struct rp_slot *slot, int size)
{
    float lut[3][256];
    static const double zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};

    rp_tensor_lut(lut, 255, zero, one);
    RP_CHECK(rp_slot_constant(slot, lut, sizeof(lut), (void **) &c->lut));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*c->affine), (void **) &c->affine));
    RP_CHECK(rp_slot_image(slot, size, size, 3, &c->crop));
    return 0;
}

/* The source crop as a tensor. */
static int crop_source(const struct rp_swapper *s, const struct cropper *c,
                       const struct rp_source *from, float *dst)
{
    const int size = s->m->source_size;

    RP_CHECK(RP_OP_NOW(s->slot, align, .face = from->first_face,
                       .template_id = s->m->source_template, .w = size, .h = size, .scale = 1,
                       .dst = c->affine));
    RP_CHECK(RP_OP_NOW(s->slot, warp, .src = from->first, .affine = c->affine, .dst = c->crop,
                   .border = 1));
    RP_CHECK(RP_OP_NOW(s->slot, to_tensor, .src = c->crop, .lut = c->lut, .dst = dst, .w = size,
                   .h = size, .rgb = 1, .step = 1));
    return 0;
}

static int prepare_images(struct rp_swapper *s, const struct rp_sources *all)
{
    struct cropper c;

    RP_CHECK(make_cropper(&c, s->slot, s->m->source_size));
    for (int i = 0; i < s->rows; i++)
        RP_CHECK(crop_source(s, &c, s->fixed ? &all->main : source_of(all, i),
                             s->sources + (size_t) i * (size_t) s->row));
    return rp_slot_sync(s->slot);
}

/* ---- embeddings ------------------------------------------------------------------------------ */

static double length_of(const float *v)
{
    double sum = 0;

    for (int i = 0; i < LENGTH; i++)
        sum += (double) v[i] * v[i];
    return sum > 0 ? sqrt(sum) : 1;
}

/* inswapper's last weight is the matrix that converts an arcface embedding to its own.
 * @param matrix  [LENGTH][LENGTH] */
static int read_matrix(const char *path, float *matrix)
{
    int ret;
    struct rp_onnx *onnx;
    const struct rp_onnx_tensor *all;

    RP_TRY(rp_onnx_open(&onnx, path));
    const int n = rp_onnx_weights(onnx, &all);
    const struct rp_onnx_tensor *const t = n > 0 ? &all[n - 1] : NULL;
    if (!t || t->rank != 2 || t->dim[0] != LENGTH || t->dim[1] != LENGTH ||
        !rp_onnx_floats(t, matrix, (size_t) LENGTH * LENGTH))
        ret = rp_fail(RP_ERR_MODEL,
                      "%s: its last weight is not a 512x512 matrix; it is not an inswapper", path);
    rp_onnx_close(&onnx);

fail:
    return ret;
}

/* Converts raw embeddings to the network's. */
struct converter {
    float *matrix;      /* [LENGTH][LENGTH], RP_SWAP_MATRIX */
    struct rp_net *net; /* RP_SWAP_CONVERTED* */
};

static void close_converter(struct converter *c)
{
    free(c->matrix);
    rp_net_close(&c->net);
}

static int open_network(struct converter *c, const struct rp_swapper *s, struct rp_pool *pool)
{
    int ret;
    struct rp_model *model;
    static const int64_t vec[] = {1, LENGTH}, *const dims[RP_MAX_TENSORS] = {vec};

    RP_TRY(rp_pool_get_exact(pool, RP_KIND_EMBEDDING_CONVERTER, s->m->converter, &model));
    RP_TRY(rp_model_expect_input(model, "input", 0, RP_TYPE_F32, 2, (const int64_t[]){-1, LENGTH}));
    RP_TRY(rp_model_expect_outputs(model, 1));
    RP_TRY(rp_net_open(&c->net, s->slot, model, dims));
    if (c->net->nin == 1 && c->net->out[0].count == LENGTH && c->net->out[0].type == RP_TYPE_F32)
        return 0;
    ret = rp_fail(RP_ERR_MODEL,
                  "%s: is not a network from 512 numbers to 512; it is not an embedding "
                  "converter",
                  rp_model_path(model));

fail:
    return ret;
}

static int open_converter(struct converter *c, const struct rp_swapper *s, struct rp_pool *pool)
{
    if (s->m->converter)
        return open_network(c, s, pool);
    if (s->m->source != RP_SWAP_MATRIX)
        return 0;
    if (!(c->matrix = calloc((size_t) LENGTH * LENGTH, sizeof(*c->matrix))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    return read_matrix(rp_model_path(s->model), c->matrix);
}

static void times_matrix(const float *matrix, const float *in, float *out)
{
    const double length = length_of(in);

    for (size_t j = 0; j < LENGTH; j++) {
        double sum = 0;

        for (size_t i = 0; i < LENGTH; i++)
            sum += (double) in[i] * (double) matrix[i * LENGTH + j];
        out[j] = (float) (sum / length);
    }
}

static int through_network(struct rp_net *net, struct rp_slot *slot, const float *in, float *out)
{
    RP_CHECK(rp_slot_upload(slot, net->in[0].data, in, LENGTH * sizeof(*in)));
    RP_CHECK(rp_net_run(net));
    RP_CHECK(rp_slot_download(slot, out, net->out[0].data, LENGTH * sizeof(*out)));
    return rp_slot_sync(slot);
}

static int convert(const struct converter *c, const struct rp_swapper *s,
                   const struct rp_dface *face, float out[LENGTH])
{
    if (c->net)
        RP_CHECK(through_network(c->net, s->slot, face->embedding, out));
    else if (c->matrix)
        times_matrix(c->matrix, face->embedding, out);
    else
        memcpy(out, face->embedding_norm, LENGTH * sizeof(*out));
    if (s->m->source == RP_SWAP_CONVERTED_UNIT) {
        const double length = length_of(out);

        for (int i = 0; i < LENGTH; i++)
            out[i] = (float) (out[i] / length);
    }
    return 0;
}

static int prepare_embeddings(struct rp_swapper *s, struct rp_pool *pool,
                              const struct rp_sources *all)
{
    int ret;
    struct converter c = {0};
    float *const table = calloc((size_t) s->rows, LENGTH * sizeof(*table));

    if (!table)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(open_converter(&c, s, pool));
    for (int i = 0; i < s->rows; i++) {
        float *const row = table + (size_t) i * LENGTH;

        if (s->fixed && i)
            memcpy(row, table, LENGTH * sizeof(*row));
        else
            RP_TRY(convert(&c, s, &source_of(all, i)->average, row));
    }
    RP_TRY(rp_slot_upload(s->slot, s->sources, table, (size_t) s->rows * LENGTH * sizeof(*table)));
    RP_TRY(rp_slot_sync(s->slot));

fail:
    close_converter(&c);
    free(table);
    return ret;
}

int rp_swapper_prepare(struct rp_swapper *s, struct rp_pool *pool, const struct rp_sources *all)
{
    const int size = s->m->source_size;
    const bool image = s->m->source == RP_SWAP_IMAGE;

    s->fixed = !all->n && s->mix == 0;
    s->rows = s->fixed ? s->batch : all->n + (all->main.count > 0);
    s->row = image ? 3 * size * size : LENGTH;
    s->other = all->main.count ? all->n : -1;
    if (all->n)
        RP_CHECK(rp_slot_constant(s->slot, &all->references, sizeof(all->references),
                                  (void **) &s->references));
    RP_CHECK(rp_slot_alloc(s->slot, (size_t) s->rows * (size_t) s->row * sizeof(float),
                           (void **) &s->sources));
    return image ? prepare_images(s, all) : prepare_embeddings(s, pool, all);
}
