/* Files that take pictures of any size but state fixed sizes for their outputs.
 *
 * InsightFace's detectors (retinaface_10g, scrfd_2.5g) are such files: their exporter left height
 * and width of the input open but stated the 12800 rows that an input of 640x640 gives. ONNX
 * Runtime only warns about that when it allocates outputs itself, but refuses outputs that are
 * bound. So these statements are erased. */
#ifndef RP_ONNX_SIZES_H
#define RP_ONNX_SIZES_H

#include "onnx/onnx.h"

/* If the file is of that kind, make the sizes of outputs and of tensors between nodes open.
 * @return whether it was, and was changed */
bool rp_onnx_open_sizes(const struct rp_onnx_image *image);

/* A private copy of such a file with its sizes open; empty if the file is of another kind or cannot
 * be read. End it with rp_onnx_unmap(). */
void rp_onnx_load_open(struct rp_onnx_image *out, const char *path);

#endif /* RP_ONNX_SIZES_H */
