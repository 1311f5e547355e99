/* Files that take pictures of any size but state fixed sizes of what they give.
 *
 * InsightFace's detectors (retinaface_10g, scrfd_2.5g) are such: their exporter left height and
 * width of the input open and wrote down the 12800 rows that 640x640 has. ONNX Runtime only warns
 * where it allocates outputs itself; it refuses outputs that are bound. So these statements are
 * taken back. */
#ifndef RP_ONNX_SIZES_H
#define RP_ONNX_SIZES_H

#include "onnx/onnx.h"

/* Leave the sizes of outputs and of tensors between nodes open, if the file is of that kind.
 * @return whether it is, and was changed */
bool rp_onnx_open_sizes(const struct rp_onnx_image *image);

/* A private copy of such a file with its sizes open; nothing if it is of another kind or cannot be
 * read. For rp_onnx_unmap(). */
void rp_onnx_map_open(struct rp_onnx_image *out, const char *path);

#endif /* RP_ONNX_SIZES_H */
