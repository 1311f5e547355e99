/* Values that core.h hides from the compiler. */
#include "ops/core.h"

const float rp_zero = 0.0f, rp_one = 1.0f, rp_white = 255.0f;
