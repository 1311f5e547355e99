/* The batch of a network: most files fix it at one row, though the network itself does not care. */
#ifndef RP_ONNX_ROWS_H
#define RP_ONNX_ROWS_H

#include "onnx/onnx.h"

/* Change a file of one row to one of n, 2 to 127. Whether the network still means the same is not
 * decided here: who runs it compares rows with the network of one.
 * @param name  for messages
 * RP_ERR_MODEL where it has control flow, or an input or output that has not one row; then the
 * image is of no use any more. */
int rp_onnx_set_rows(const struct rp_onnx_image *image, const char *name, int n);

/* May a file that leaves the number open be run over several rows? RP_ERR_MODEL where it has
 * control flow: a branch is chosen for all rows at once. */
int rp_onnx_check_rows(const char *path);

#endif /* RP_ONNX_ROWS_H */
