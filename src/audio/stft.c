#include "audio/stft.h"

#include <math.h>

int rp_stft_create(struct rp_stft **out, int size, bool symmetric)
{
    struct rp_stft *const s = *out = calloc(1, sizeof(*s));

    if (!s || !(s->window = malloc((size_t) size * sizeof(*s->window))) ||
        !(s->x = malloc((size_t) size * sizeof(*s->x))) || rp_rfft_create(&s->fft, size) < 0) {
        rp_stft_destroy(out);
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    s->size = size;
    for (int i = 0; i < size; i++)
        s->window[i] = (float) (0.5 - 0.5 * cos(2 * 3.14159265358979323846 * i /
                                                (symmetric ? size - 1 : size)));
    return 0;
}

void rp_stft_destroy(struct rp_stft **stft)
{
    struct rp_stft *const s = *stft;

    if (!s)
        return;
    rp_rfft_destroy(&s->fft);
    free(s->window);
    free(s->x);
    free(s);
    *stft = NULL;
}

void rp_stft_column(struct rp_stft *s, const float *x, struct rp_complex *bins)
{
    for (int i = 0; i < s->size; i++)
        s->x[i] = x[i] * s->window[i];
    rp_rfft_forward(s->fft, s->x, bins);
}

void rp_stft_add(struct rp_stft *s, const struct rp_complex *bins, float *sum)
{
    rp_rfft_inverse(s->fft, bins, s->x);
    for (int i = 0; i < s->size; i++)
        sum[i] += s->x[i] * s->window[i];
}

void rp_stft_add_weight(const struct rp_stft *s, float *weight)
{
    for (int i = 0; i < s->size; i++)
        weight[i] += s->window[i] * s->window[i] * (float) s->size;
}
