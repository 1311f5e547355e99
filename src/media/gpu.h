/* Decoding on a GPU: what reader.c does differently then. Only src/media includes this. */
#ifndef RP_MEDIA_GPU_H
#define RP_MEDIA_GPU_H

#include "media/av.h"

/* Can a GPU's decoder be asked for this stream? H.264 with 8 bits and HEVC with 8 or 10, chroma
 * halved both ways: what both sides decode to the same samples. */
bool rp_gpu_takes(const AVCodecParameters *stream);

/* Before the decoder is opened. Fails if there is none; it is then as it was. */
int rp_gpu_begin(AVCodecContext *dec, const struct rp_gpu_decoder *gpu);

/* *f, as the decoder gave it, becomes a frame with planes on the GPU. Fails, with the sentence left
 * to say, if it is something else: the codec's own decoder took over, or it has another form.
 * @param pool  of memory on the GPU */
int rp_gpu_import(AVFrame **f, const struct rp_gpu_decoder *gpu, struct rp_frame_store *pool);

/* Was it made by that? */
bool rp_gpu_has(const AVFrame *f);

#endif /* RP_MEDIA_GPU_H */
