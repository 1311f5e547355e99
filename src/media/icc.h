/* Colour profiles (ICC): pixels become sRGB when a picture is read. */
#ifndef RP_MEDIA_ICC_H
#define RP_MEDIA_ICC_H

#include "media/media.h"

/* How pixels lie in memory before the conversion. Several samples of `bits` (8 or 16, in this
 * machine's order) make a pixel: 3 (a grey picture: all the same) or 4 inks, then `extra` ones that
 * are passed over, such as alpha. */
struct rp_icc_from {
    int channels, extra, bits;
    bool bgr;      /* blue first */
    bool inverted; /* inks: the greatest value is no ink, as Adobe writes JPEG */
    bool grey;     /* the file holds grey, so its profile may be one of grey */
    bool lab;      /* CIE L*a*b* as ICC's version 4 writes it in 16 bits; needs no profile */
};

struct rp_icc;

/* Prepare a conversion to sRGB. NULL if there is nothing to convert: no profile (size 0), one that
 * is sRGB to a level, or, with a warning, one that is broken or not for such pixels.
 *
 * @param to  the pixels of the result: bytes, blue first; alpha is never written. */
struct rp_icc *rp_icc_open(const uint8_t *profile, size_t size, const struct rp_icc_from *from,
                           enum rp_pixel to, const char *name);

/* Convert n pixels; in place only where both lie in memory in the same way. */
void rp_icc_run(const struct rp_icc *icc, const void *from, uint8_t *to, size_t n);

void rp_icc_close(struct rp_icc **icc);

/* A whole picture, in place. */
void rp_icc_convert(rp_image *image, bool grey, const uint8_t *profile, size_t size,
                    const char *name);

/* A profile, malloc()ed: x and y of red, green, blue and white, and a gamma (0: sRGB's curve). NULL
 * if they make none. */
uint8_t *rp_icc_make(const float xy[8], double gamma, size_t *size);

/* The one warning of a profile that cannot be used. */
void rp_icc_warn(const char *name, const char *why);

#endif /* RP_MEDIA_ICC_H */
