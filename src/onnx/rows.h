/* The batch of a network: most files fix it at one row, though the network would work with any
 * number. */
#ifndef RP_ONNX_ROWS_H
#define RP_ONNX_ROWS_H

#include "onnx/onnx.h"

/* Change a file of one row to one of n rows, 2 to 127. Whether the network still computes the same
 * is not checked here: whoever runs it must compare rows with the network of one row.
 * @param name  for messages
 * RP_ERR_MODEL if it has control flow, or an input or output does not have one row; then the image
 * can no longer be used. */
int rp_onnx_set_rows(const struct rp_onnx_image *image, const char *name, int n);

/* May a file that leaves the number of rows open be run over several? RP_ERR_MODEL if it has
 * control flow: a branch would be chosen for all rows at once. */
int rp_onnx_check_rows(const char *path);

#endif /* RP_ONNX_ROWS_H */
