/* 256 colours for each frame of a GIF. */
#ifndef RP_MEDIA_PALETTE_H
#define RP_MEDIA_PALETTE_H

#include "media/av.h"

struct rp_palette;

int rp_palette_open(struct rp_palette **out, int w, int h);
void rp_palette_close(struct rp_palette **palette);

/* Convert BGR24 to PAL8; on failure *frame is freed. */
int rp_palette_apply(struct rp_palette *palette, AVFrame **frame);

#endif /* RP_MEDIA_PALETTE_H */
