/* Colour profiles, by Little CMS.
 *
 * Intent: relative colorimetric with black point compensation. Colours that sRGB has stay what they
 * are and black stays black, which is what photo editors do by default; for the profiles of cameras
 * and displays (a matrix and curves) the perceptual intent is the same. What sRGB lacks is cut off.
 */
#include "media/icc.h"

#include <lcms2.h>
#include <math.h>
#include <pthread.h>

#include "media/av.h"

#define PROFILE_MIN 128         /* bytes: its head */
#define PROFILE_MAX (32u << 20) /* bytes; printers' profiles have up to a few million */
#define SAME 1                  /* levels: a profile this near to sRGB is sRGB */

/* All values of 16 bits are measured, but by a fuzzer, which looks at those that is_shaper() asks
 * for and few others: not the colours count there, but how many inputs a second there are. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define STEP 15
#else
#define STEP 1
#endif

/* A profile that is curves and a matrix, measured: linear sRGB is m times the curves' values. */
struct shaper {
    float curve[3][65536];
    float m[3][3];
};

struct rp_icc {
    cmsContext context;
    cmsHTRANSFORM transform; /* NULL: grey */
    struct shaper *shaper;   /* 16 bits: the same as the transform, ten times faster; or NULL */
    uint8_t *grey;           /* what each value of a grey profile becomes, three bytes each */
    struct rp_icc_from from;
    int to_bytes;
};

void rp_icc_warn(const char *name, const char *why)
{
    rp_log(RP_LOG_WARN, "%s: the colour profile %s; colours are taken as sRGB", name, why);
}

static cmsUInt32Number format_of(const struct rp_icc_from *from)
{
    const unsigned extra = (unsigned) from->extra;

    return COLORSPACE_SH(from->lab             ? PT_Lab
                         : from->channels == 4 ? PT_CMYK
                                               : PT_RGB) |
           CHANNELS_SH((unsigned) from->channels) | EXTRA_SH(extra) | BYTES_SH(from->bits / 8u) |
           DOSWAP_SH(from->bgr ? 1u : 0u) | SWAPFIRST_SH(from->bgr && extra ? 1u : 0u) |
           FLAVOR_SH(from->inverted ? 1u : 0u);
}

static cmsHTRANSFORM make(cmsContext context, cmsHPROFILE profile, cmsUInt32Number from,
                          cmsUInt32Number to, cmsUInt32Number flags)
{
    const cmsHPROFILE srgb = cmsCreate_sRGBProfileTHR(context);
    const cmsHTRANSFORM transform =
        srgb ? cmsCreateTransformTHR(context, profile, from, srgb, to, INTENT_RELATIVE_COLORIMETRIC,
                                     cmsFLAGS_BLACKPOINTCOMPENSATION | flags)
             : NULL;

    if (srgb)
        cmsCloseProfile(srgb);
    return transform;
}

/* Does the profile leave greys and a grid of colours where they are? Names are no help: linear
 * profiles are called sRGB too. */
static bool is_srgb(cmsContext context, cmsHPROFILE profile)
{
    enum { GREYS = 64, SIDE = 6, N = GREYS + SIDE * SIDE * SIDE };
    uint8_t in[N][3], out[N][3];
    const cmsHTRANSFORM transform =
        make(context, profile, TYPE_RGB_8, TYPE_RGB_8, cmsFLAGS_NOOPTIMIZE);
    int worst = 0;

    if (!transform)
        return false;
    for (int i = 0; i < N; i++) {
        const int k = i - GREYS;
        for (int c = 0; c < 3; c++)
            in[i][c] = (uint8_t) (k < 0    ? i * 255 / (GREYS - 1)
                                  : c == 0 ? k % SIDE * 51
                                  : c == 1 ? k / SIDE % SIDE * 51
                                           : k / SIDE / SIDE * 51);
    }
    cmsDoTransform(transform, in, out, N);
    cmsDeleteTransform(transform);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 3; c++)
            worst = RP_MAX(worst, abs(in[i][c] - out[i][c]));
    return worst <= SAME;
}

/* Little CMS would make a coarse table with straight lines between its entries. */
static bool make_grey(struct rp_icc *icc, cmsHPROFILE profile, bool *same)
{
    const size_t n = (size_t) 1 << icc->from.bits, step = icc->from.bits == 8 ? 257 : 1;
    const size_t next = n > 256 ? STEP : 1;
    const cmsHTRANSFORM transform =
        make(icc->context, profile, TYPE_GRAY_16, TYPE_BGR_8, cmsFLAGS_NOOPTIMIZE);

    icc->grey = transform ? malloc(3 * n) : NULL;
    *same = true;
    for (size_t i = 0; icc->grey && i < n; i += next) {
        const uint16_t value = (uint16_t) (i * step);
        cmsDoTransform(transform, &value, icc->grey + 3 * i, 1);
        for (size_t c = 0; c < 3; c++)
            *same = *same && abs((value + 128) / 257 - icc->grey[3 * i + c]) <= SAME;
    }
    if (transform)
        cmsDeleteTransform(transform);
    return icc->grey != NULL;
}

/* ---- 16 bits --------------------------------------------------------------------------------- */

static uint8_t to_srgb[65536]; /* bytes of linear values */

static void make_to_srgb(void)
{
    for (int i = 0; i < 65536; i++) {
        const double v = i / 65535.0;
        to_srgb[i] =
            (uint8_t) (255 * (v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055) + 0.5);
    }
}

static cmsHTRANSFORM to_linear(cmsContext context, cmsHPROFILE profile)
{
    static const cmsCIExyY white = {0.3127, 0.3290, 1};
    static const cmsCIExyYTRIPLE primaries = {{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
    cmsToneCurve *const line = cmsBuildGamma(context, 1);
    cmsToneCurve *const lines[3] = {line, line, line};
    const cmsHPROFILE linear =
        line ? cmsCreateRGBProfileTHR(context, &white, &primaries, lines) : NULL;
    const cmsHTRANSFORM transform =
        linear ? cmsCreateTransformTHR(context, profile, TYPE_RGB_DBL, linear, TYPE_RGB_DBL,
                                       INTENT_RELATIVE_COLORIMETRIC,
                                       cmsFLAGS_BLACKPOINTCOMPENSATION | cmsFLAGS_NOOPTIMIZE)
               : NULL;

    if (linear)
        cmsCloseProfile(linear);
    if (line)
        cmsFreeToneCurve(line);
    return transform;
}

/* One channel: its column of the matrix is the full value's colour, and the curve is how much of it
 * each value gives. */
static bool measure(struct shaper *s, int channel, cmsHTRANSFORM transform)
{
    double in[3] = {0}, out[3];
    int best = 0;

    in[channel] = 1;
    cmsDoTransform(transform, in, out, 1);
    for (int k = 0; k < 3; k++) {
        s->m[k][channel] = (float) out[k];
        best = fabs(out[k]) > fabs(out[best]) ? k : best;
    }
    const double full = out[best];
    if (!(fabs(full) > 1e-3)) /* also what is no number */
        return false;
    for (int i = 0; i < 65536; i += STEP) {
        in[channel] = i / 65535.0;
        cmsDoTransform(transform, in, out, 1);
        s->curve[channel][i] = (float) (out[best] / full);
    }
    return true;
}

static void shape(const struct shaper *s, const uint16_t *rgb, uint8_t *bgr)
{
    const float v[3] = {s->curve[0][rgb[0]], s->curve[1][rgb[1]], s->curve[2][rgb[2]]};

    for (int k = 0; k < 3; k++) {
        const float sum = s->m[k][0] * v[0] + s->m[k][1] * v[1] + s->m[k][2] * v[2];
        bgr[2 - k] = to_srgb[sum >= 1 ? 65535 : sum > 0 ? (int) (sum * 65535 + 0.5f) : 0];
    }
}

/* Do both give the same, to a level? A profile with tables does not. */
static bool is_shaper(const struct shaper *s, cmsContext context, cmsHPROFILE profile)
{
    const cmsHTRANSFORM transform =
        make(context, profile, TYPE_RGB_16, TYPE_BGR_8, cmsFLAGS_NOOPTIMIZE);
    bool same = transform != NULL;

    for (unsigned i = 0; same && i < 343; i++) { /* 7 values a channel, from dark to full */
        static const uint16_t values[7] = {0, 300, 3000, 12000, 30000, 50000, 65535};
        const uint16_t rgb[3] = {values[i % 7], values[i / 7 % 7], values[i / 49]};
        uint8_t a[3], b[3];
        cmsDoTransform(transform, rgb, a, 1);
        shape(s, rgb, b);
        for (int c = 0; c < 3; c++)
            same = same && abs(a[c] - b[c]) <= SAME;
    }
    if (transform)
        cmsDeleteTransform(transform);
    return same;
}

/* Little CMS goes through a profile step by step where its tables would be too coarse. */
static struct shaper *make_shaper(cmsContext context, cmsHPROFILE profile)
{
    static pthread_once_t made = PTHREAD_ONCE_INIT;
    struct shaper *s = malloc(sizeof(*s));
    const cmsHTRANSFORM transform = to_linear(context, profile);
    bool good = s && transform;

    pthread_once(&made, make_to_srgb);
    for (int c = 0; good && c < 3; c++)
        good = measure(s, c, transform);
    if (transform)
        cmsDeleteTransform(transform);
    if (good && is_shaper(s, context, profile))
        return s;
    free(s);
    return NULL;
}

/* ---- any profile ----------------------------------------------------------------------------- */

static bool is_of_pixels(cmsHPROFILE profile)
{
    const cmsProfileClassSignature class = cmsGetDeviceClass(profile);

    return class == cmsSigInputClass || class == cmsSigDisplayClass || class == cmsSigOutputClass ||
           class == cmsSigColorSpaceClass;
}

/* Why the profile cannot be used; NULL if it can, or if it needs not (*same). */
static const char *prepare(struct rp_icc *icc, cmsHPROFILE profile, enum rp_pixel to, bool *same)
{
    const cmsColorSpaceSignature space = cmsGetColorSpace(profile);
    const bool inks = icc->from.channels == 4;
    const bool grey = space == cmsSigGrayData && icc->from.grey;
    const cmsColorSpaceSignature wanted = icc->from.lab ? cmsSigLabData
                                          : inks        ? cmsSigCmykData
                                                        : cmsSigRgbData;

    if (!(icc->from.lab || is_of_pixels(profile)) || !(grey || space == wanted))
        return "is not for such pixels";
    if (grey)
        return make_grey(icc, profile, same) ? NULL : "is broken";
    if (!inks && !icc->from.lab && (*same = is_srgb(icc->context, profile)))
        return NULL;
    /* Little CMS's tables are exact for bytes of matrix profiles only. */
    icc->transform = make(icc->context, profile, format_of(&icc->from),
                          to == RP_PIXEL_BGRA ? TYPE_BGRA_8 : TYPE_BGR_8,
                          icc->from.bits == 16 && !inks ? cmsFLAGS_NOOPTIMIZE : 0);
    if (icc->transform && icc->from.bits == 16 && space == cmsSigRgbData)
        icc->shaper = make_shaper(icc->context, profile);
    return icc->transform ? NULL : "is broken";
}

struct rp_icc *rp_icc_open(const uint8_t *profile, size_t size, const struct rp_icc_from *from,
                           enum rp_pixel to, const char *name)
{
    struct rp_icc *icc = size > 0 || from->lab ? calloc(1, sizeof(*icc)) : NULL;
    cmsHPROFILE opened = NULL;
    const char *why = "is broken";
    bool same = false;

    if (!icc)
        return NULL;
    icc->from = *from;
    icc->to_bytes = to == RP_PIXEL_BGRA ? 4 : 3;
    icc->context = cmsCreateContext(NULL, NULL);
    if (icc->context && from->lab)
        opened = cmsCreateLab4ProfileTHR(icc->context, NULL);
    else if (icc->context && size >= PROFILE_MIN && size <= PROFILE_MAX)
        opened = cmsOpenProfileFromMemTHR(icc->context, profile, (cmsUInt32Number) size);
    if (opened) {
        why = prepare(icc, opened, to, &same);
        cmsCloseProfile(opened);
    }
    if (why && !rp_av_lacks()) /* else the picture fails, see rp_image_decode() */
        rp_icc_warn(name, why);
    if (why || same)
        rp_icc_close(&icc);
    return icc;
}

void rp_icc_run(const struct rp_icc *icc, const void *from, uint8_t *to, size_t n)
{
    const size_t samples = (size_t) icc->from.channels + (size_t) icc->from.extra;

    if (icc->shaper) {
        for (size_t i = 0; i < n; i++)
            shape(icc->shaper, (const uint16_t *) from + i * samples,
                  to + i * (size_t) icc->to_bytes);
        return;
    }
    if (icc->transform) {
        cmsDoTransform(icc->transform, from, to, (cmsUInt32Number) n);
        return;
    }
    for (size_t i = 0; i < n; i++, to += icc->to_bytes) {
        const size_t value = icc->from.bits == 8 ? ((const uint8_t *) from)[i * samples]
                                                 : ((const uint16_t *) from)[i * samples];
        memcpy(to, icc->grey + 3 * value, 3);
    }
}

void rp_icc_close(struct rp_icc **icc)
{
    struct rp_icc *const p = *icc;

    if (!p)
        return;
    if (p->transform)
        cmsDeleteTransform(p->transform);
    if (p->context)
        cmsDeleteContext(p->context);
    free(p->shaper);
    free(p->grey);
    free(p);
    *icc = NULL;
}

void rp_icc_convert(rp_image *image, bool grey, const uint8_t *profile, size_t size,
                    const char *name)
{
    const struct rp_icc_from from = {.channels = 3,
                                     .extra = image->format == RP_PIXEL_BGRA,
                                     .bits = 8,
                                     .bgr = true,
                                     .grey = grey};
    struct rp_icc *icc = rp_icc_open(profile, size, &from, image->format, name);

    for (int y = 0; icc && y < image->h; y++) {
        uint8_t *const row = image->data + y * image->stride;
        rp_icc_run(icc, row, row, (size_t) image->w);
    }
    rp_icc_close(&icc);
}

uint8_t *rp_icc_make(const float xy[8], double gamma, size_t *size)
{
    const cmsFloat64Number srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    const cmsCIExyY white = {xy[6], xy[7], 1};
    const cmsCIExyYTRIPLE primaries = {{xy[0], xy[1], 1}, {xy[2], xy[3], 1}, {xy[4], xy[5], 1}};
    cmsToneCurve *const curve =
        gamma > 0 ? cmsBuildGamma(NULL, gamma) : cmsBuildParametricToneCurve(NULL, 4, srgb);
    cmsToneCurve *const curves[3] = {curve, curve, curve};
    const cmsHPROFILE profile = curve ? cmsCreateRGBProfile(&white, &primaries, curves) : NULL;
    cmsUInt32Number n = 0;
    uint8_t *data = NULL;

    if (profile && cmsSaveProfileToMem(profile, NULL, &n) && (data = malloc(n)) &&
        !cmsSaveProfileToMem(profile, data, &n)) {
        free(data);
        data = NULL;
    }
    if (profile)
        cmsCloseProfile(profile);
    if (curve)
        cmsFreeToneCurve(curve);
    *size = n;
    return data;
}
