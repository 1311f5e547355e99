/* Which codec reads a picture file, by its content, and which writes it, by its name. */
#include "media/av.h"

#include "base/path.h"

static const struct rp_image_codec *const codecs[] = {
    &rp_image_jpeg, &rp_image_png, &rp_image_webp, &rp_image_bmp,
    &rp_image_tiff, &rp_image_gif, &rp_image_heif,
};

const struct rp_image_codec *rp_image_codec_of(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(codecs); i++)
        if (codecs[i]->is(data, size))
            return codecs[i];
    return NULL;
}

/* Is `ext` a word of the list "a,b,c"? */
static bool is_listed(const char *ext, const char *list)
{
    const size_t n = strlen(ext);

    for (const char *p = list; n > 0 && *p; p += *p == ',') {
        const size_t word = strcspn(p, ",");
        if (word == n && !strncasecmp(p, ext, n))
            return true;
        p += word;
    }
    return false;
}

const struct rp_image_codec *rp_image_codec_for(const char *path)
{
    const char *const ext = rp_path_ext(path);

    for (size_t i = 0; i < RP_ARRAY_LEN(codecs); i++)
        if (codecs[i]->encode && is_listed(ext, codecs[i]->extensions))
            return codecs[i];
    return NULL;
}
