#include "audio/mel.h"

#include <math.h>

#include "audio/stft.h"

#define WINDOW 800
#define HOP 200
#define FFT_RATE 16000
#define LOWEST 55.0 /* Hz */
#define HIGHEST 7600.0

struct rp_mel {
    struct rp_stft *stft;
    float filter[RP_SPEECH_BANDS][RP_MEL_BINS];        /* the window's sum taken out */
    int first[RP_SPEECH_BANDS], last[RP_SPEECH_BANDS]; /* bins of a filter that are not zero */
    float buffer[WINDOW];
    int fill;
    float before; /* sample, for the pre-emphasis */
    float peak;   /* greatest so far, before it */
    struct rp_speech *speech;
    int64_t cap;
};

/* ---- filters --------------------------------------------------------------------------------- */

static double to_mel(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

static double from_mel(double mel)
{
    return 700 * (pow(10, mel / 2595) - 1);
}

/* A band is FaceFusion's: only from its point to the next, where a usual one goes on to the next
 * but one; and a triangle over these bins that does not reach zero at its ends. */
static void fill_filter(float *filter, int from, int to)
{
    const int n = to - from;

    for (int k = 0; k < n; k++) {
        const int rank = RP_MIN(k, n - 1 - k);

        filter[from + k] = (float) (n % 2 ? 2.0 * (rank + 1) / (n + 1) : (2.0 * rank + 1) / n);
    }
}

void rp_mel_filters(float filter[RP_SPEECH_BANDS][RP_MEL_BINS])
{
    int point[RP_SPEECH_BANDS + 2];
    const double low = to_mel(LOWEST), high = to_mel(HIGHEST);

    memset(filter, 0, sizeof(float[RP_SPEECH_BANDS][RP_MEL_BINS]));
    for (int i = 0; i < RP_SPEECH_BANDS + 2; i++) {
        const double mel = low + (high - low) * i / (RP_SPEECH_BANDS + 1);

        point[i] = (int) floor((WINDOW + 1) * from_mel(mel) / FFT_RATE);
    }
    for (int i = 0; i < RP_SPEECH_BANDS; i++)
        fill_filter(filter[i], point[i], point[i + 1]);
}

/* ---- columns --------------------------------------------------------------------------------- */

void rp_speech_free(struct rp_speech **speech)
{
    if (*speech) {
        free((*speech)->mel);
        free(*speech);
    }
    *speech = NULL;
}

int rp_mel_create(struct rp_mel **out)
{
    int ret;
    struct rp_mel *const m = *out = calloc(1, sizeof(*m));

    if (!m || !(m->speech = calloc(1, sizeof(*m->speech)))) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(rp_stft_create(&m->stft, WINDOW, false));
    rp_mel_filters(m->filter);
    for (int b = 0; b < RP_SPEECH_BANDS; b++) {
        while (m->filter[b][m->first[b]] == 0)
            m->first[b]++;
        m->last[b] = RP_MEL_BINS - 1;
        while (m->filter[b][m->last[b]] == 0)
            m->last[b]--;
        for (int i = m->first[b]; i <= m->last[b]; i++)
            m->filter[b][i] /= WINDOW / 2.0f;
    }
    m->fill = WINDOW / 2; /* of zeros in front */
    return 0;

fail:
    rp_mel_destroy(out);
    return ret;
}

void rp_mel_destroy(struct rp_mel **mel)
{
    struct rp_mel *const m = *mel;

    if (!m)
        return;
    rp_stft_destroy(&m->stft);
    rp_speech_free(&m->speech);
    free(m);
    *mel = NULL;
}

/* Where the next column goes. */
static float *next_column(struct rp_mel *m)
{
    struct rp_speech *const s = m->speech;

    if (s->count == m->cap) {
        const int64_t cap = RP_MAX(1024, m->cap + m->cap / 2);
        float *const p = realloc(s->mel, (size_t) cap * RP_SPEECH_BANDS * sizeof(*p));

        if (!p)
            return NULL;
        s->mel = p;
        m->cap = cap;
    }
    return s->mel + RP_SPEECH_BANDS * s->count++;
}

/* The window is full. */
static int add_column(struct rp_mel *m)
{
    float magnitude[RP_MEL_BINS];
    struct rp_complex bins[RP_MEL_BINS];
    float *const column = next_column(m);

    if (!column)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_stft_column(m->stft, m->buffer, bins);
    for (int i = 0; i < RP_MEL_BINS; i++)
        magnitude[i] = sqrtf(bins[i].re * bins[i].re + bins[i].im * bins[i].im);
    for (int b = 0; b < RP_SPEECH_BANDS; b++) {
        float sum = 0;

        for (int i = m->first[b]; i <= m->last[b]; i++)
            sum += m->filter[b][i] * magnitude[i];
        column[b] = sum;
    }
    memmove(m->buffer, m->buffer + HOP, (WINDOW - HOP) * sizeof(float));
    m->fill -= HOP;
    return 0;
}

static int put_one(struct rp_mel *m, float x)
{
    m->buffer[m->fill++] = x;
    return m->fill == WINDOW ? add_column(m) : 0;
}

int rp_mel_put(struct rp_mel *m, const float *x, int n)
{
    for (int i = 0; i < n; i++) {
        const float now = isfinite(x[i]) ? RP_CLAMP(x[i], -1e9f, 1e9f) : 0;

        m->peak = RP_MAX(m->peak, fabsf(now));
        RP_CHECK(put_one(m, now - 0.97f * m->before));
        m->before = now;
    }
    return 0;
}

/* Zeros behind: half a window, and up to a whole step. */
static int put_tail(struct rp_mel *m)
{
    for (int i = 0; i < WINDOW / 2; i++)
        RP_CHECK(put_one(m, 0));
    while (m->fill > WINDOW - HOP)
        RP_CHECK(put_one(m, 0));
    return 0;
}

int rp_mel_end(struct rp_mel *m, struct rp_speech **speech)
{
    struct rp_speech *const s = m->speech;

    *speech = NULL;
    RP_CHECK(put_tail(m));
    const size_t n = (size_t) s->count * RP_SPEECH_BANDS;
    if (n) {
        float *const p = realloc(s->mel, n * sizeof(*p)); /* smaller */

        s->mel = p ? p : s->mel;
    }
    /* Everything so far is linear, so what FaceFusion does to the samples, dividing them by the
     * greatest, is done here. */
    if (m->peak > 0)
        for (size_t i = 0; i < n; i++)
            s->mel[i] /= m->peak;
    *speech = s;
    m->speech = NULL;
    return 0;
}
