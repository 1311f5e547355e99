/* Reading HEIC, HEIF and AVIF by libheif, which also turns, mirrors and crops as the file says: the
 * orientation in EXIF then means nothing. */
#include "media/av.h"

#include <libheif/heif.h>

#include "media/icc.h"
#include "media/meta.h"

struct heif_in {
    struct heif_context *context;
    struct heif_image_handle *handle;
    struct heif_image *image;
    const char *name, *kind; /* "HEIC" */
    struct rp_icc *icc;
    bool alpha, premultiplied;
    int bits; /* of a decoded sample; more than 8 lie in two bytes, the low one first */
};

static int heif_failed(const struct heif_in *h, struct heif_error error)
{
    if (error.subcode == heif_suberror_Security_limit_exceeded)
        return rp_fail(RP_ERR_LIMIT, "%s: parts of the %s are too large: %s", h->name, h->kind,
                       error.message);
    switch (error.code) {
    case heif_error_Memory_allocation_error:
        return RP_NOMEM(h->name);
    case heif_error_Unsupported_filetype:
    case heif_error_Unsupported_feature:
    case heif_error_Decoder_plugin_error:
        return RP_LIB_FAIL(h->name, RP_ERR_UNSUPPORTED,
                           "%s: this %s is not supported (%s); convert it to JPEG or PNG", h->name,
                           h->kind, error.message);
    default:
        return RP_LIB_FAIL(h->name, RP_ERR_FORMAT, "%s: broken %s: %s", h->name, h->kind,
                           error.message);
    }
}

#define HEIF_CHECK(call)                         \
    do {                                         \
        const struct heif_error error_ = (call); \
        if (error_.code != heif_error_Ok)        \
            return heif_failed(h, error_);       \
    } while (0)

static int open_file(struct heif_in *h, const uint8_t *data, size_t size)
{
    if (!(h->context = heif_context_alloc()))
        return RP_NOMEM(h->name);
    heif_context_set_maximum_image_size_limit(h->context, RP_SIDE_MAX);
    HEIF_CHECK(heif_context_read_from_memory_without_copy(h->context, data, size, NULL));
    HEIF_CHECK(heif_context_get_primary_image_handle(h->context, &h->handle));
    RP_CHECK(rp_size_check(h->name, heif_image_handle_get_width(h->handle),
                           heif_image_handle_get_height(h->handle)));
    h->alpha = heif_image_handle_has_alpha_channel(h->handle) != 0;
    h->premultiplied = h->alpha && heif_image_handle_is_premultiplied_alpha(h->handle) != 0;
    return 0;
}

static int decode_image(struct heif_in *h)
{
    const bool deep = heif_image_handle_get_luma_bits_per_pixel(h->handle) > 8;
    const enum heif_chroma chroma =
        deep ? (h->alpha ? heif_chroma_interleaved_RRGGBBAA_LE : heif_chroma_interleaved_RRGGBB_LE)
             : (h->alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB);

    HEIF_CHECK(heif_decode_image(h->handle, &h->image, heif_colorspace_RGB, chroma, NULL));
    h->bits = heif_image_get_bits_per_pixel_range(h->image, heif_channel_interleaved);
    if (deep ? h->bits <= 8 || h->bits > 16 : h->bits != 8)
        return rp_fail(RP_ERR_UNSUPPORTED, "%s: %d-bit %s is not supported", h->name, h->bits,
                       h->kind);
    return 0;
}

/* ---- colours --------------------------------------------------------------------------------- */

/* The gamma of a transfer function; 0: sRGB's curve, which stands for that of video too. */
static double gamma_of(const struct heif_in *h, int transfer)
{
    switch (transfer) {
    case heif_transfer_characteristic_ITU_R_BT_470_6_System_M:
        return 2.2;
    case heif_transfer_characteristic_ITU_R_BT_470_6_System_B_G:
        return 2.8;
    case heif_transfer_characteristic_linear:
        return 1;
    case heif_transfer_characteristic_ITU_R_BT_2100_0_PQ:
    case heif_transfer_characteristic_ITU_R_BT_2100_0_HLG:
        rp_log(RP_LOG_WARN, "%s: HDR is taken as if it were not; the colours may look pale",
               h->name);
        return 0;
    default:
        return 0;
    }
}

/* A profile for colours that are given by numbers; NULL if they are sRGB. */
static uint8_t *profile_of_numbers(const struct heif_in *h, size_t *size)
{
    struct heif_color_profile_nclx *n = NULL;
    uint8_t *profile = NULL;

    if ((heif_image_handle_get_nclx_color_profile(h->handle, &n).code != heif_error_Ok || !n) &&
        (heif_image_get_nclx_color_profile(h->image, &n).code != heif_error_Ok || !n))
        return NULL;
    const double gamma = gamma_of(h, n->transfer_characteristics);
    const bool same = n->color_primaries == heif_color_primaries_ITU_R_BT_709_5 ||
                      n->color_primaries == heif_color_primaries_unspecified;
    const float xy[8] = {
        n->color_primary_red_x,   n->color_primary_red_y,   n->color_primary_green_x,
        n->color_primary_green_y, n->color_primary_blue_x,  n->color_primary_blue_y,
        n->color_primary_white_x, n->color_primary_white_y,
    };
    static const float srgb[8] = {0.64f, 0.33f, 0.30f, 0.60f, 0.15f, 0.06f, 0.3127f, 0.3290f};
    if (!same || gamma > 0)
        profile = rp_icc_make(same ? srgb : xy, gamma, size);
    heif_nclx_color_profile_free(n);
    return profile;
}

static void open_profile(struct heif_in *h)
{
    const bool deep = h->bits > 8;
    const struct rp_icc_from from = {
        .channels = 3, .extra = h->alpha, .bits = deep ? 16 : 8, .bgr = !deep, .grey = true};
    size_t size = heif_image_handle_get_raw_color_profile_size(h->handle);
    uint8_t *profile = NULL;

    if (size > 0 && (profile = malloc(size))) {
        if (heif_image_handle_get_raw_color_profile(h->handle, profile).code != heif_error_Ok)
            size = 0;
    } else {
        profile = profile_of_numbers(h, &size);
    }
    if (profile)
        h->icc =
            rp_icc_open(profile, size, &from, h->alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, h->name);
    free(profile);
}

/* ---- pixels ---------------------------------------------------------------------------------- */

static uint32_t undone(uint64_t v, uint32_t alpha, uint32_t most)
{
    return alpha ? (uint32_t) RP_MIN((v * most + alpha / 2) / alpha, most) : 0;
}

static void take_bytes(const struct heif_in *h, const uint8_t *rgb, uint8_t *to, size_t n)
{
    const size_t bytes = h->alpha ? 4 : 3;

    for (size_t i = 0; i < n; i++, rgb += bytes) {
        uint8_t *const p = to + bytes * i;
        for (int c = 0; c < 3; c++)
            p[c] = h->premultiplied ? (uint8_t) undone(rgb[2 - c], rgb[3], 255) : rgb[2 - c];
        if (h->alpha)
            p[3] = rgb[3];
    }
    if (h->icc)
        rp_icc_run(h->icc, to, to, n);
}

/* 9 to 16 bits, made 16 in `row`. */
static void take_deep(const struct heif_in *h, const uint8_t *rgb, uint16_t *row, uint8_t *to,
                      size_t n)
{
    const size_t samples = h->alpha ? 4 : 3;
    const uint32_t most = (1u << h->bits) - 1;

    for (size_t i = 0; i < samples * n; i++) {
        const uint32_t v = RP_MIN((uint32_t) (rgb[2 * i] | rgb[2 * i + 1] << 8), most);
        row[i] = (uint16_t) (v * 65535u / most);
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t *const p = row + samples * i;
        for (int c = 0; c < 3 && h->premultiplied; c++)
            p[c] = (uint16_t) undone(p[c], p[3], 65535);
        for (size_t c = 0; c < samples; c++)
            to[samples * i + (c < 3 ? 2 - c : 3)] = (uint8_t) (p[c] >> 8);
    }
    if (h->icc)
        rp_icc_run(h->icc, row, to, n);
}

static int take_pixels(struct heif_in *h, rp_image *out)
{
    int stride = 0;
    const uint8_t *const rgb =
        heif_image_get_plane_readonly(h->image, heif_channel_interleaved, &stride);
    const int w = heif_image_get_width(h->image, heif_channel_interleaved);
    const int height = heif_image_get_height(h->image, heif_channel_interleaved);
    const bool deep = h->bits > 8;

    if (!rgb)
        return rp_fail(RP_ERR_FORMAT, "%s: broken %s: there are no pixels", h->name, h->kind);
    RP_CHECK(rp_image_alloc(out, w, height, h->alpha ? RP_PIXEL_BGRA : RP_PIXEL_BGR, h->name));
    uint16_t *const row = deep ? calloc((size_t) w, 4 * sizeof(*row)) : NULL;
    if (deep && !row)
        return RP_NOMEM(h->name);
    open_profile(h);
    for (int y = 0; y < height; y++) {
        const uint8_t *const from = rgb + (ptrdiff_t) y * stride;
        uint8_t *const to = out->data + y * out->stride;
        if (deep)
            take_deep(h, from, row, to, (size_t) w);
        else
            take_bytes(h, from, to, (size_t) w);
    }
    free(row);
    return 0;
}

/* ---- the codec ------------------------------------------------------------------------------- */

static bool is_heif(const uint8_t *data, size_t size)
{
    return rp_heif_kind(data, size) != NULL;
}

static int decode_with(struct heif_in *h, rp_image *out, const uint8_t *data, size_t size)
{
    RP_CHECK(open_file(h, data, size));
    RP_CHECK(decode_image(h));
    RP_CHECK(take_pixels(h, out));
    if (rp_heif_is_animated(data, size))
        rp_image_is_animated(h->name);
    else if (heif_context_get_number_of_top_level_images(h->context) > 1)
        rp_log(RP_LOG_WARN, "%s: of several pictures only the main one is used", h->name);
    return 0;
}

static int decode(rp_image *out, const uint8_t *data, size_t size, const char *name)
{
    struct heif_in h = {.name = name, .kind = rp_heif_kind(data, size)};
    const int ret = decode_with(&h, out, data, size);

    if (h.image)
        heif_image_release(h.image);
    if (h.handle)
        heif_image_handle_release(h.handle);
    if (h.context)
        heif_context_free(h.context);
    rp_icc_close(&h.icc);
    return ret;
}

const struct rp_image_codec rp_image_heif = {
    .name = "HEIF",
    .extensions = "heic,heif,hif,avif",
    .is = is_heif,
    .decode = decode,
    .xmp = rp_xmp_scan,
};
