/* The face swapper classic_256: arithmetic in a graph, without trained weights.
 * tools/make_classic.py tells how it works and makes the same bytes. */
#ifndef RP_CLASSIC_H
#define RP_CLASSIC_H

#include "base/base.h"

/* The file, on the heap. */
int rp_classic_make(uint8_t **data, size_t *size);

#endif /* RP_CLASSIC_H */
