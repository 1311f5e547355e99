/* 256 colours for each frame of a GIF. */
#ifndef RP_MEDIA_PALETTE_H
#define RP_MEDIA_PALETTE_H

#include "media/av.h"

struct rp_palette;

/* @param transparent  one colour for pixels whose alpha is below 128 */
int rp_palette_open(struct rp_palette **out, int w, int h, bool transparent);
void rp_palette_close(struct rp_palette **palette);

/* Convert BGR24, or BGRA if `transparent`, to PAL8; on failure *frame is freed. */
int rp_palette_apply(struct rp_palette *palette, AVFrame **frame);

#endif /* RP_MEDIA_PALETTE_H */
