#include "audio/voice.h"

#include <math.h>
#include <pthread.h>

#include "audio/stft.h"
#include "engine/engine.h"

/* In samples of 48 kHz. Parts overlap, and where they do the mean is taken. */
#define PART (240 * 1024)
#define STEP (180 * 1024)

#define WINDOW 7680
#define HOP 1024
#define EDGE (WINDOW / 2) /* of a piece, left out of the result */
#define BINS (WINDOW / 2 + 1)
#define USED 3072     /* bins that the network sees; the rest, above 19.2 kHz, becomes zero */
#define COLUMNS 256   /* if the file leaves their number open */
#define COLUMNS_MIN 9 /* fewer would be all edge */
#define COLUMNS_MAX 4096

struct rp_voice {
    rp_voice_fn *fn;
    void *priv;
    struct rp_slot *slot;
    struct rp_net *net;
    struct rp_stft *stft[2];
    int columns; /* in a run of the network */
    int length;  /* samples of a piece: one run */
    int64_t runs;

    float *piece[2]; /* length + WINDOW: its samples with zeros around, left and right */
    float *weight;   /* the same: what a sum of windows is divided by */
    float *spectrum; /* [4][USED][columns] */

    int16_t (*held)[2]; /* PART: what is not yet done */
    int count;
    float (*voice)[2]; /* PART: of a part */
    float (*mean)[2];  /* STEP */
    float (*last)[2];  /* of the part before, where this one overlaps it */
    int overlap;       /* samples in `last` */
};

/* ---- options --------------------------------------------------------------------------------- */

static const char *const *choices(void)
{
    return rp_catalogue_choices(RP_KIND_VOICE_EXTRACTOR);
}

/* clang-format off */
static const struct rp_opt opts[] = {
    {"voice-extractor-model", 0, RP_OPT_CHOICE, offsetof(struct rp_voice_options, model),
     .def_text = "kim_vocal_2", .choices_fn = choices,
     .help = "network that takes the voice out of sound, for lips"},
    {0},
};
/* clang-format on */

const struct rp_opt_group rp_voice_group = {
    "voice_extractor",
    "Voice extractor",
    sizeof(struct rp_voice_options),
    opts,
};

const char *rp_voice_model_name(const struct rp_settings *settings)
{
    const struct rp_voice_options *const o = rp_settings_get(settings, &rp_voice_group);

    return choices()[o->model];
}

/* ---- opening --------------------------------------------------------------------------------- */

/* The network and how many columns it takes. */
static int open_net(struct rp_voice *v, struct rp_model *model)
{
    const struct rp_tensor_info *info;

    RP_CHECK(rp_model_expect_input(model, "input", 0, RP_TYPE_F32, 4,
                                   (const int64_t[]){-1, 4, USED, -1}));
    RP_CHECK(rp_model_expect_outputs(model, 1));
    if (rp_model_inputs(model, &info) != 1)
        return rp_fail(RP_ERR_MODEL, "%s: it has more than one input", rp_model_path(model));
    const int64_t columns = info[0].dim[3] > 0 ? info[0].dim[3] : COLUMNS;
    if (columns < COLUMNS_MIN || columns > COLUMNS_MAX)
        return rp_fail(RP_ERR_MODEL, "%s: it takes %lld columns of a spectrogram, not %d to %d",
                       rp_model_path(model), (long long) columns, COLUMNS_MIN, COLUMNS_MAX);
    v->columns = (int) columns;
    v->length = (v->columns - 1) * HOP;
    const int64_t dim[] = {1, 4, USED, columns};
    const int64_t *const dims[RP_MAX_TENSORS] = {dim};
    RP_CHECK(rp_net_open(&v->net, v->slot, model, dims));
    if (v->net->out[0].type == RP_TYPE_F32 && v->net->out[0].count == v->net->in[0].count)
        return 0;
    return rp_fail(RP_ERR_MODEL, "%s: its output is not like its input, f32 1x4x%dx%d",
                   rp_model_path(model), USED, v->columns);
}

static int make_buffers(struct rp_voice *v)
{
    const size_t padded = (size_t) v->length + WINDOW;

    v->piece[0] = calloc(padded, sizeof(float));
    v->piece[1] = calloc(padded, sizeof(float));
    v->weight = calloc(padded, sizeof(float));
    v->spectrum = malloc(v->net->in[0].bytes);
    v->held = malloc(PART * sizeof(*v->held));
    v->voice = malloc(PART * sizeof(*v->voice));
    v->mean = malloc(STEP * sizeof(*v->mean));
    v->last = malloc((PART - STEP) * sizeof(*v->last));
    if (v->piece[0] && v->piece[1] && v->weight && v->spectrum && v->held && v->voice && v->mean &&
        v->last)
        return 0;
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

int rp_voice_create(struct rp_voice **out, struct rp_model *model, struct rp_device *device,
                    rp_voice_fn *fn, void *priv)
{
    int ret;
    struct rp_voice *const v = *out = calloc(1, sizeof(*v));

    if (!v)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    v->fn = fn;
    v->priv = priv;
    RP_TRY(rp_slot_create(&v->slot, device));
    RP_TRY(open_net(v, model));
    RP_TRY(make_buffers(v));
    for (int c = 0; c < 2; c++)
        RP_TRY(rp_stft_create(&v->stft[c], WINDOW, true));
    for (int t = 0; t < v->columns; t++)
        rp_stft_add_weight(v->stft[0], v->weight + (ptrdiff_t) t * HOP);
    return 0;

fail:
    rp_voice_destroy(out);
    return ret;
}

void rp_voice_destroy(struct rp_voice **voice)
{
    struct rp_voice *const v = *voice;

    if (!v)
        return;
    rp_stft_destroy(&v->stft[0]);
    rp_stft_destroy(&v->stft[1]);
    rp_net_close(&v->net);
    rp_slot_destroy(&v->slot);
    free(v->piece[0]);
    free(v->piece[1]);
    free(v->weight);
    free(v->spectrum);
    free(v->held);
    free(v->voice);
    free(v->mean);
    free(v->last);
    free(v);
    *voice = NULL;
}

/* ---- one run --------------------------------------------------------------------------------- */

/* Planes of the spectrum: left real, left imaginary, right real, right imaginary. */
static float *plane(struct rp_voice *v, int channel, int imaginary)
{
    return v->spectrum + (size_t) (2 * channel + imaginary) * USED * (size_t) v->columns;
}

static void analyse(struct rp_voice *v, int c)
{
    struct rp_complex bins[BINS];
    float *const re = plane(v, c, 0), *const im = plane(v, c, 1);

    for (int t = 0; t < v->columns; t++) {
        rp_stft_column(v->stft[c], v->piece[c] + (ptrdiff_t) t * HOP, bins);
        for (int b = 0; b < USED; b++) {
            re[(ptrdiff_t) b * v->columns + t] = bins[b].re;
            im[(ptrdiff_t) b * v->columns + t] = bins[b].im;
        }
    }
}

/* Numbers that are not finite count as silence. */
static float sane(float x)
{
    return isfinite(x) ? x : 0;
}

static void synthesise(struct rp_voice *v, int c)
{
    struct rp_complex bins[BINS] = {{0, 0}};
    const float *const re = plane(v, c, 0), *const im = plane(v, c, 1);

    memset(v->piece[c], 0, ((size_t) v->length + WINDOW) * sizeof(float));
    for (int t = 0; t < v->columns; t++) {
        for (int b = 0; b < USED; b++) {
            bins[b].re = sane(re[(ptrdiff_t) b * v->columns + t]);
            bins[b].im = sane(im[(ptrdiff_t) b * v->columns + t]);
        }
        rp_stft_add(v->stft[c], bins, v->piece[c] + (ptrdiff_t) t * HOP);
    }
    for (int i = EDGE; i < EDGE + v->length; i++)
        v->piece[c][i] /= v->weight[i];
}

struct side {
    struct rp_voice *voice;
    int channel;
    void (*fn)(struct rp_voice *v, int c);
};

static void *do_side(void *priv)
{
    const struct side *const s = priv;

    s->fn(s->voice, s->channel);
    return NULL;
}

/* Left and right at once. */
static void do_sides(struct rp_voice *v, void (*fn)(struct rp_voice *v, int c))
{
    pthread_t thread;
    struct side right = {v, 1, fn};
    const bool alone = pthread_create(&thread, NULL, do_side, &right) != 0;

    fn(v, 0);
    if (alone)
        fn(v, 1);
    else
        pthread_join(thread, NULL);
}

static int run_piece(struct rp_voice *v)
{
    const struct rp_tensor *const in = &v->net->in[0], *const out = &v->net->out[0];

    do_sides(v, analyse);
    RP_CHECK(rp_slot_upload(v->slot, in->data, v->spectrum, in->bytes));
    RP_CHECK(rp_net_run(v->net));
    RP_CHECK(rp_slot_read(v->slot, v->spectrum, out->data, out->bytes));
    do_sides(v, synthesise);
    v->runs++;
    return 0;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The first n samples held: in pieces, each with an edge of its neighbours, or of silence at the
 * ends of the part. */
static int run_part(struct rp_voice *v, int n)
{
    const int step = v->length - 2 * EDGE;

    for (int at = 0; at < n; at += step) {
        for (int c = 0; c < 2; c++) {
            float *const to = v->piece[c] + EDGE; /* zeros of the spectrogram around the piece */

            memset(v->piece[c], 0, ((size_t) v->length + WINDOW) * sizeof(float));
            for (int i = 0; i < v->length; i++) {
                const int from = at - EDGE + i;

                if (from >= 0 && from < n)
                    to[i] = (float) v->held[from][c] / 32767;
            }
        }
        RP_CHECK(run_piece(v));
        for (int i = 0; i < step && at + i < n; i++)
            for (int c = 0; c < 2; c++)
                v->voice[at + i][c] = v->piece[c][2 * EDGE + i];
    }
    return 0;
}

/* A part of n samples from the front of what is held; what the next one overlaps stays. */
static int give_part(struct rp_voice *v, int n)
{
    const int ready = RP_MIN(n, STEP);

    RP_CHECK(run_part(v, n));
    memcpy(v->mean, v->voice, (size_t) ready * sizeof(*v->mean));
    for (int i = 0; i < RP_MIN(v->overlap, ready); i++)
        for (int c = 0; c < 2; c++)
            v->mean[i][c] = (v->voice[i][c] + v->last[i][c]) / 2;
    v->overlap = n - ready;
    memcpy(v->last, v->voice + ready, (size_t) v->overlap * sizeof(*v->last));
    v->count -= ready;
    memmove(v->held, v->held + ready, (size_t) v->count * sizeof(*v->held));
    return v->fn(v->priv, (const float(*)[2]) v->mean, ready);
}

int rp_voice_put(struct rp_voice *v, const int16_t (*samples)[2], int n)
{
    while (n > 0) {
        const int now = RP_MIN(n, PART - v->count);

        memcpy(v->held + v->count, samples, (size_t) now * sizeof(*samples));
        v->count += now;
        samples += now;
        n -= now;
        if (v->count == PART)
            RP_CHECK(give_part(v, PART));
    }
    return 0;
}

int rp_voice_end(struct rp_voice *v)
{
    while (v->count > 0)
        RP_CHECK(give_part(v, v->count));
    return 0;
}

int64_t rp_voice_runs(const struct rp_voice *v, int64_t samples)
{
    const int step = v->length - 2 * EDGE;
    int64_t runs = 0;

    for (int64_t left = samples; left > 0; left -= STEP)
        runs += (RP_MIN(left, PART) + step - 1) / step;
    return runs;
}

int64_t rp_voice_done(const struct rp_voice *v)
{
    return v->runs;
}
