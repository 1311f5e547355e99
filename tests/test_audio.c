/* Sound to speech: transforms, resampling, spectrograms, the mel columns and their cache, against
 * naive versions and against what FaceFusion's own functions (SciPy) gave.
 *
 * All of it is single precision, SciPy's double. A transform's rounding is near 1e-7 of the largest
 * bin for each doubling of the length, so 2e-6 of the largest number is what is allowed unless a
 * test says otherwise: -114 dB, where 16 bits end at -96. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audio/kept.h"
#include "audio/mel.h"
#include "audio/resample.h"
#include "audio/stft.h"
#include "base/path.h"
#include "recorded.h"

#define CLOSE 2e-6

static const double pi = 3.14159265358979323846;

static float *floats_of(const struct npy *a)
{
    float *const x = calloc(a->n + 1, sizeof(*x));

    assert_non_null(x);
    for (size_t i = 0; i < a->n; i++)
        x[i] = (float) npy_at(a, i);
    return x;
}

/* Numbers against a recording, within `close` of its largest. */
static void assert_close(const float *x, const struct npy *want, double close)
{
    double most = 0, off = 0;

    for (size_t i = 0; i < want->n; i++) {
        most = fmax(most, fabs(npy_at(want, i)));
        off = fmax(off, fabs(npy_at(want, i) - (double) x[i]));
    }
    print_message("    off by %.2g of %.3g\n", off, most);
    assert_true(off <= close * most);
}

static double noise(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (double) (*seed >> 8) / (1 << 23) - 1;
}

/* ---- transforms ------------------------------------------------------------------------------ */

/* Small lengths, squares, primes, and primes of which twice is not a power of two. */
static void test_any_length(void **state)
{
    static const int lengths[] = {1, 2, 3, 4, 7, 17, 30, 97, 121, 127, 251, 800, 1009, 1018};

    (void) state;
    for (size_t k = 0; k < RP_ARRAY_LEN(lengths); k++)
        for (int inverse = 0; inverse < 2; inverse++) {
            const int n = lengths[k];
            unsigned seed = (unsigned) n;
            struct rp_complex x[1024], y[1024];
            double most = 0, off = 0;

            for (int i = 0; i < n; i++)
                x[i] = y[i] = (struct rp_complex){(float) noise(&seed), (float) noise(&seed)};
            assert_int_equal(rp_fft_any(y, n, inverse), 0);
            for (int b = 0; b < n; b++) {
                double re = 0, im = 0;

                for (int i = 0; i < n; i++) {
                    const double a = (inverse ? 2 : -2) * pi * ((int64_t) b * i % n) / n;

                    re += x[i].re * cos(a) - x[i].im * sin(a);
                    im += x[i].re * sin(a) + x[i].im * cos(a);
                }
                most = fmax(most, hypot(re, im));
                off = fmax(off, hypot(re - y[b].re, im - y[b].im));
            }
            assert_true(off <= CLOSE * most);
        }
}

/* Scaled by the window's sum, as SciPy scales. */
static void check_columns(const char *x_name, const char *re_name, const char *im_name, int size,
                          int hop, bool symmetric)
{
    struct npy x = recorded(x_name), re = recorded(re_name), im = recorded(im_name);
    struct rp_stft *s;
    const int n = (int) re.dim[1], bins = (int) re.dim[0];
    struct rp_complex *const column = calloc((size_t) bins, sizeof(*column));
    float *const padded = calloc(x.n + 2 * (size_t) size, sizeof(float));
    float *const got[2] = {calloc(re.n, sizeof(float)), calloc(re.n, sizeof(float))};

    for (size_t i = 0; i < x.n; i++)
        padded[(size_t) size / 2 + i] = (float) npy_at(&x, i);
    assert_int_equal(rp_stft_create(&s, size, symmetric), 0);
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += (double) s->window[i];
    for (int t = 0; t < n; t++) {
        rp_stft_column(s, padded + (ptrdiff_t) t * hop, column);
        for (int b = 0; b < bins; b++) {
            got[0][b * n + t] = column[b].re / (float) sum;
            got[1][b * n + t] = column[b].im / (float) sum;
        }
    }
    assert_close(got[0], &re, CLOSE);
    assert_close(got[1], &im, CLOSE);
    rp_stft_destroy(&s);
    free(padded);
    free(column);
    free(got[0]);
    free(got[1]);
    free(x.data);
    free(re.data);
    free(im.data);
}

static void test_columns(void **state)
{
    (void) state;
    check_columns("audio/primitives/stft/x.npy", "audio/primitives/stft/real.npy",
                  "audio/primitives/stft/imag.npy", 800, 200, false);
}

static void test_voice_columns(void **state)
{
    (void) state;
    check_columns("audio/primitives/stft_voice/x.npy", "audio/primitives/stft_voice/real.npy",
                  "audio/primitives/stft_voice/imag.npy", 7680, 1024, true);
}

/* Back from the recorded spectrum. */
static void test_voice_back(void **state)
{
    struct npy re = recorded("audio/primitives/stft_voice/real.npy");
    struct npy im = recorded("audio/primitives/stft_voice/imag.npy");
    struct npy want = recorded("audio/primitives/istft_voice/x.npy");
    struct rp_stft *s;
    struct rp_complex column[3841];
    const int n = (int) re.dim[1];
    float *const sum = calloc(want.n + 7680, sizeof(float));
    float *const weight = calloc(want.n + 7680, sizeof(float));

    (void) state;
    assert_int_equal(want.n, (n - 1) * 1024);
    assert_int_equal(rp_stft_create(&s, 7680, true), 0);
    for (int t = 0; t < n; t++) {
        for (int b = 0; b < 3841; b++) {
            column[b].re = (float) (npy_at(&re, (size_t) b * (size_t) n + (size_t) t) * 3839.5);
            column[b].im = (float) (npy_at(&im, (size_t) b * (size_t) n + (size_t) t) * 3839.5);
        }
        rp_stft_add(s, column, sum + (ptrdiff_t) t * 1024);
        rp_stft_add_weight(s, weight + (ptrdiff_t) t * 1024);
    }
    for (size_t i = 0; i < want.n; i++)
        sum[3840 + i] /= weight[3840 + i];
    assert_close(sum + 3840, &want, CLOSE);
    rp_stft_destroy(&s);
    free(sum);
    free(weight);
    free(re.data);
    free(im.data);
    free(want.data);
}

static void test_windows(void **state)
{
    static const struct {
        const char *name;
        int size;
        bool symmetric;
    } windows[] = {{"audio/primitives/hann_periodic_8.npy", 8, false},
                   {"audio/primitives/hann_periodic_800.npy", 800, false},
                   {"audio/primitives/hann_sym_8.npy", 8, true},
                   {"audio/primitives/hann_sym_7680.npy", 7680, true}};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(windows); i++) {
        struct rp_stft *s;
        struct npy want = recorded(windows[i].name);

        assert_int_equal(rp_stft_create(&s, windows[i].size, windows[i].symmetric), 0);
        assert_close(s->window, &want, 1e-7); /* only rounded */
        rp_stft_destroy(&s);
        free(want.data);
    }
}

/* ---- resampling ------------------------------------------------------------------------------ */

static void test_resample(void **state)
{
    static const char *const names[] = {"audio/primitives/resample/up_1000.npy",
                                        "audio/primitives/resample/down_2731.npy",
                                        "audio/primitives/resample/factor_16k.npy"};
    struct npy x = recorded("audio/primitives/resample/x_3000.npy");
    float y[3000] = {0}, *const in = floats_of(&x);

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(names); i++) {
        struct npy want = recorded(names[i]);

        assert_int_equal(rp_resample(in, 3000, y, (int) want.n), 0);
        assert_close(y, &want, CLOSE);
        free(want.data);
    }
    free(in);
    free(x.data);
}

/* To more samples and back again, over the middle bin of even lengths. */
static void test_resample_up(void **state)
{
    float x[96], y[192], z[96];
    unsigned seed = 3;

    (void) state;
    for (int i = 0; i < 96; i++)
        x[i] = (float) noise(&seed);
    assert_int_equal(rp_resample(x, 96, y, 192), 0);
    for (int i = 0; i < 96; i++)
        assert_float_equal(y[2 * i], x[i], 2e-6);
    assert_int_equal(rp_resample(x, 96, z, 96), 0);
    for (int i = 0; i < 96; i++)
        assert_float_equal(z[i], x[i], 2e-6);
}

struct got {
    float *x;
    int64_t n, cap;
    int fail_after; /* calls; 0: never */
};

static int take(void *priv, const float *x, int n)
{
    struct got *const g = priv;

    if (g->fail_after && --g->fail_after == 0)
        return RP_ERR_CLOSED;
    if (g->n + n > g->cap) {
        g->cap = 2 * (g->n + n);
        assert_non_null(g->x = realloc(g->x, (size_t) g->cap * sizeof(float)));
    }
    memcpy(g->x + g->n, x, (size_t) n * sizeof(float));
    g->n += n;
    return 0;
}

static struct got stream(const float *x, int64_t n, int piece)
{
    struct got g = {0};
    struct rp_resampler *r;

    assert_int_equal(rp_resampler_create(&r, take, &g), 0);
    for (int64_t at = 0; at < n; at += piece)
        assert_int_equal(rp_resampler_put(r, x + at, (int) RP_MIN(piece, n - at)), 0);
    assert_int_equal(rp_resampler_end(r), 0);
    rp_resampler_destroy(&r);
    return g;
}

/* Up to a minute the stream is the whole; also where nothing is left of one sample. */
static void test_short_stream(void **state)
{
    static const int lengths[] = {0, 1, 2, 3, 4, 5, 100, 70001, 200000};
    float *const x = malloc(200000 * sizeof(*x)), *const y = malloc(70000 * sizeof(*y));
    unsigned seed = 7;

    (void) state;
    for (int i = 0; i < 200000; i++)
        x[i] = (float) noise(&seed);
    for (size_t i = 0; i < RP_ARRAY_LEN(lengths); i++) {
        const int n = lengths[i], num = (int) lrint(n / 3.0);
        struct got g = stream(x, n, 4099);

        assert_int_equal(g.n, num);
        if (num) {
            assert_int_equal(rp_resample(x, n, y, num), 0);
            assert_memory_equal(g.x, y, (size_t) num * sizeof(*y));
        }
        free(g.x);
    }
    free(x);
    free(y);
}

/* Noise of all frequencies, the hardest case, and a tone, that begin and end with silence as sound
 * does. */
static float *long_sound(int n)
{
    unsigned seed = 11;
    float *const x = malloc((size_t) n * sizeof(*x));

    assert_non_null(x);
    for (int i = 0; i < n; i++) {
        const double fade = fmin(1, fmin(i, n - 1 - i) / 48000.0);

        x[i] = (float) (fade * (0.3 * noise(&seed) + 0.5 * sin(2 * pi * 440 * i / 48000)));
    }
    return x;
}

/* Any number of samples, and pieces that do not fit the blocks; and a taker that fails. */
static void test_long_stream_ends(void **state)
{
    static const int more[] = {1, 2, 393216 - 1, 393216 + 1};
    const int most = RP_RESAMPLE_WHOLE + 400000;
    float *const x = long_sound(most);

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(more); i++) {
        const int n = RP_RESAMPLE_WHOLE + more[i];
        struct got g = stream(x, n, 700001);

        assert_int_equal(g.n, lrint(n / 3.0));
        for (int64_t k = 0; k < g.n; k++)
            assert_true(isfinite(g.x[k]) && fabsf(g.x[k]) < 2);
        free(g.x);
    }
    struct got g = {.fail_after = 2};
    struct rp_resampler *r;
    assert_int_equal(rp_resampler_create(&r, take, &g), 0);
    assert_int_equal(rp_resampler_put(r, x, most), RP_ERR_CLOSED);
    rp_resampler_destroy(&r);
    free(g.x);
    free(x);
}

/* ---- columns --------------------------------------------------------------------------------- */

static struct rp_speech *speech_of(const float *x, int n, int piece)
{
    struct rp_mel *m;
    struct rp_speech *s;

    assert_int_equal(rp_mel_create(&m), 0);
    for (int at = 0; at < n; at += piece)
        assert_int_equal(rp_mel_put(m, x + at, RP_MIN(piece, n - at)), 0);
    assert_int_equal(rp_mel_end(m, &s), 0);
    rp_mel_destroy(&m);
    return s;
}

/* More than a minute, in blocks: how far that is from the whole. What a block does not see of the
 * sound lies just at 8 kHz, where the filter is a cliff and rings for ever; and the highest band
 * ends at 7.34 kHz, so little of it is left in the columns. (But for the first and last two, where
 * the whole sound, as one period, hears its other end.) */
static void test_long_stream(void **state)
{
    const int n = 3 * 1100000, num = n / 3;
    float *const x = long_sound(n), *const whole = malloc((size_t) num * sizeof(*whole));
    struct got g = stream(x, n, 65536);
    double square = 0, power = 0, most = 0;

    (void) state;
    assert_true(n > RP_RESAMPLE_WHOLE);
    assert_int_equal(g.n, num);
    assert_int_equal(rp_resample(x, n, whole, num), 0);
    for (int i = 0; i < num; i++) {
        square += pow((double) g.x[i] - (double) whole[i], 2);
        power += pow((double) whole[i], 2);
    }
    struct rp_speech *a = speech_of(g.x, num, num), *b = speech_of(whole, num, num);
    for (int64_t i = 2 * RP_SPEECH_BANDS; i < (a->count - 2) * RP_SPEECH_BANDS; i++)
        if (b->mel[i] > 1e-5f) /* less becomes 1e-5 */
            most = fmax(most, fabs(log10((double) a->mel[i] / (double) b->mel[i])));
    print_message("    %.0f dB below the sound; a column's logarithm at most %.2g off\n",
                  10 * log10(power / square), most);
    assert_true(square < 1e-6 * power);
    assert_true(most < 1e-3); /* of 5 that it spans */
    rp_speech_free(&a);
    rp_speech_free(&b);
    free(g.x);
    free(whole);
    free(x);
}

static void test_filters(void **state)
{
    static float filter[RP_SPEECH_BANDS][RP_MEL_BINS];
    struct npy want;
    double sum = 0;
    int count = 0;

    (void) state;
    rp_mel_filters(filter);
    for (int b = 0; b < RP_SPEECH_BANDS; b++)
        for (int i = 0; i < RP_MEL_BINS; i++) {
            sum += (double) filter[b][i];
            count += filter[b][i] != 0;
            if (filter[b][i] != 0)
                assert_in_range(i, 2, 367);
        }
    assert_int_equal(count, 366);
    assert_float_equal(sum, 203, 1e-4);
    want = recorded("audio/audio/mel_filter_bank.npy");
    assert_int_equal(want.n, RP_SPEECH_BANDS * RP_MEL_BINS);
    assert_close(&filter[0][0], &want, 1e-7); /* only rounded */
    free(want.data);
}

/* From samples to columns: mono, peak, pre-emphasis, windows, bands. */
static void test_spectrogram(void **state)
{
    struct npy raw = recorded("audio/audio/raw_int16.npy.gz"),
               want = recorded("audio/audio/spectrogram.npy.gz");
    const int n = (int) raw.dim[0];
    float *const x = calloc((size_t) n + 1, sizeof(*x)), *const turned =
                                                             calloc(want.n + 1, sizeof(*x));

    (void) state;
    for (int i = 0; i < n; i++)
        x[i] = (float) ((npy_at(&raw, 2 * (size_t) i) + npy_at(&raw, 2 * (size_t) i + 1)) / 2);
    for (int piece = 777; piece < 200000; piece *= 300) {
        struct rp_speech *s = speech_of(x, n, piece);

        assert_int_equal(s->count, want.dim[1]);
        assert_true(s->start == 0);
        for (int64_t t = 0; t < s->count; t++)
            for (int b = 0; b < RP_SPEECH_BANDS; b++)
                turned[b * s->count + t] = s->mel[t * RP_SPEECH_BANDS + b];
        assert_close(turned, &want, CLOSE);
        rp_speech_free(&s);
        assert_null(s);
    }
    free(turned);
    free(x);
    free(raw.data);
    free(want.data);
}

/* What the same functions of FaceFusion gave for a tone. */
static void test_tone(void **state)
{
    static float x[48000];
    int best = 0;

    (void) state;
    for (int i = 0; i < 48000; i++)
        x[i] = (float) (0.5 * sin(2 * pi * 440 * i / 16000));
    struct rp_speech *s = speech_of(x, 48000, 1000);
    const float *const column = s->mel + 100 * RP_SPEECH_BANDS;
    assert_int_equal(s->count, 241);
    for (int b = 0; b < RP_SPEECH_BANDS; b++)
        if (column[b] > column[best])
            best = b;
    assert_int_equal(best, 14);
    assert_float_equal(column[14], 0.086295868, 2e-7);
    rp_speech_free(&s);
}

/* Nothing, silence, and numbers that are none: always columns of finite numbers. */
static void test_silence(void **state)
{
    static float x[1000];
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e-45f};

    (void) state;
    struct rp_speech *s = speech_of(x, 0, 1);
    assert_int_equal(s->count, 1);
    rp_speech_free(&s);
    s = speech_of(x, 1000, 300);
    assert_int_equal(s->count, 6);
    for (int i = 0; i < 6 * RP_SPEECH_BANDS; i++)
        assert_true(s->mel[i] == 0);
    rp_speech_free(&s);
    for (size_t k = 0; k < RP_ARRAY_LEN(odd); k++) {
        for (int i = 0; i < 1000; i++)
            x[i] = i % 7 == 3 ? odd[k] : 0;
        s = speech_of(x, 1000, 300);
        for (int i = 0; i < 6 * RP_SPEECH_BANDS; i++)
            assert_true(isfinite(s->mel[i]) && s->mel[i] >= 0);
        rp_speech_free(&s);
    }
}

/* ---- the cache ------------------------------------------------------------------------------- */

static char folder[300];

static int make_folder(void **state)
{
    const char *const base = getenv("TMPDIR");

    (void) state;
    snprintf(folder, sizeof(folder), "%s/reprise-audio-XXXXXX", base ? base : "/tmp");
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    return mkdtemp(folder) ? 0 : -1;
}

static void key_of(int i, char key[RP_SHA256_HEX])
{
    assert_int_equal(rp_sha256_data(&i, sizeof(i), key), 0);
}

static void file_of(int i, char *path, size_t size)
{
    char key[RP_SHA256_HEX];

    key_of(i, key);
    snprintf(path, size, "%s/%.32s.speech", folder, key);
}

static int remove_folder(void **state)
{
    char path[600];

    (void) state;
    for (int i = 0; i < 64; i++) {
        file_of(i, path, sizeof(path));
        unlink(path);
    }
    return rmdir(folder);
}

static struct rp_speech *load(int i)
{
    char key[RP_SHA256_HEX];

    key_of(i, key);
    return rp_speech_load(folder, key);
}

static void keep(int i, int64_t count, int64_t limit)
{
    char key[RP_SHA256_HEX];
    struct rp_speech s = {.count = count, .start = 4};

    s.mel = malloc((size_t) count * RP_SPEECH_BANDS * sizeof(float) + 1);
    assert_non_null(s.mel);
    for (int64_t k = 0; k < count * RP_SPEECH_BANDS; k++)
        s.mel[k] = (float) (i + k);
    key_of(i, key);
    rp_speech_keep(folder, key, &s, limit);
    free(s.mel);
}

static void test_kept(void **state)
{
    (void) state;
    assert_null(load(1));
    for (int count = 0; count < 30; count += 29) {
        keep(1, count, 1 << 20);
        struct rp_speech *s = load(1);
        assert_non_null(s);
        assert_int_equal(s->count, count);
        assert_true(s->start == 0); /* is the job's */
        for (int k = 0; k < count * RP_SPEECH_BANDS; k++)
            assert_true(s->mel[k] == (float) (1 + k));
        rp_speech_free(&s);
    }
    assert_null(load(2));
}

/* Write a file's bytes, with one changed, or fewer, or more. */
static void damage(const char *path, const uint8_t *data, size_t size, size_t at, int change)
{
    FILE *const f = fopen(path, "wb");

    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        fputc(i == at ? data[i] ^ change : data[i], f);
    fclose(f);
}

/* A broken file is never used, whatever byte of it: it is removed. */
static void test_broken(void **state)
{
    char path[600];
    uint8_t *data;
    size_t size;

    (void) state;
    file_of(3, path, sizeof(path));
    keep(3, 1, 1 << 20);
    assert_int_equal(rp_file_read(path, 1 << 20, &data, &size), 0);
    for (size_t at = 0; at < size; at++) {
        if (at >= 92 && at < 96) /* padding of the header */
            continue;
        damage(path, data, size, at, 0x41);
        assert_null(load(3));
        assert_false(rp_path_is_file(path));
    }
    for (size_t n = 0; n < size; n += 7) {
        damage(path, data, n, SIZE_MAX, 0);
        assert_null(load(3));
    }
    damage(path, data, size + 1, SIZE_MAX, 0); /* the zero that rp_file_read() adds */
    assert_null(load(3));
    damage(path, data, size, SIZE_MAX, 0);
    struct rp_speech *s = load(3);
    assert_non_null(s);
    rp_speech_free(&s);
    free(data);
}

/* With a right checksum, but numbers that no speech has. */
static void test_numbers(void **state)
{
    static const float wrong[] = {NAN, INFINITY, -1};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(wrong); i++) {
        char key[RP_SHA256_HEX];
        float mel[RP_SPEECH_BANDS] = {0, wrong[i]};
        const struct rp_speech s = {.count = 1, .mel = mel};

        key_of(4, key);
        rp_speech_keep(folder, key, &s, 1 << 20);
        assert_null(load(4));
    }
}

static void set_age(int i, int seconds)
{
    char path[600];
    const struct timespec t[2] = {{.tv_sec = 1000000000 - seconds},
                                  {.tv_sec = 1000000000 - seconds}};

    file_of(i, path, sizeof(path));
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* The least recently used goes first; a file beyond the limit is not kept at all. */
static void test_limit(void **state)
{
    const int64_t one = 96 + 10 * RP_SPEECH_BANDS * 4;
    struct rp_speech *s;

    (void) state;
    for (int i = 0; i < 64; i++) {
        char path[600];

        file_of(i, path, sizeof(path));
        unlink(path);
    }
    for (int i = 10; i < 14; i++) {
        keep(i, 10, 4 * one);
        set_age(i, 100 - i);
    }
    for (int i = 10; i < 14; i++) { /* all four fit; and now 11 was used last */
        assert_non_null(s = load(i));
        rp_speech_free(&s);
        set_age(i, i == 11 ? 1 : 100 - i);
    }
    keep(14, 20, 4 * one);
    assert_null(load(10));
    assert_null(load(12));
    for (int i = 11; i < 15; i += i == 11 ? 2 : 1) {
        assert_non_null(s = load(i));
        rp_speech_free(&s);
    }
    keep(15, 50, 4 * one);
    assert_null(load(15));
    assert_non_null(s = load(14));
    rp_speech_free(&s);
}

/* A folder that cannot be made is no failure. */
static void test_nowhere(void **state)
{
    char key[RP_SHA256_HEX];
    float mel[RP_SPEECH_BANDS] = {0};
    const struct rp_speech s = {.count = 1, .mel = mel};

    (void) state;
    key_of(5, key);
    rp_speech_keep("/proc/nowhere/speech", key, &s, 1 << 20);
    assert_null(rp_speech_load("/proc/nowhere/speech", key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_length),  cmocka_unit_test(test_windows),
        cmocka_unit_test(test_columns),     cmocka_unit_test(test_voice_columns),
        cmocka_unit_test(test_voice_back),  cmocka_unit_test(test_resample),
        cmocka_unit_test(test_resample_up), cmocka_unit_test(test_short_stream),
        cmocka_unit_test(test_long_stream), cmocka_unit_test(test_long_stream_ends),
        cmocka_unit_test(test_filters),     cmocka_unit_test(test_spectrogram),
        cmocka_unit_test(test_tone),        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_kept),        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_numbers),     cmocka_unit_test(test_limit),
        cmocka_unit_test(test_nowhere),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
