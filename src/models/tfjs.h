/* The content model of the npm package nsfwjs, a tfjs layers model in two JavaScript files, as an
 * ONNX file. tools/import_nsfwjs.py tells what changes on the way, and makes the same bytes. */
#ifndef RP_TFJS_H
#define RP_TFJS_H

#include "base/base.h"

/* @param topology, weights  text of the two files, with a zero byte after it: any bytes
 * The ONNX file, on the heap. RP_ERR_MODEL, with a sentence, when this is not a model that is
 * understood; settings that this one does not have are not looked for, so the caller compares the
 * result's checksum. */
int rp_tfjs_convert(const char *topology, const char *weights, uint8_t **data, size_t *size);

#endif /* RP_TFJS_H */
