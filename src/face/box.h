/* Boxes of faces: x1, y1, x2, y2 in pixels. */
#ifndef RP_FACE_BOX_H
#define RP_FACE_BOX_H

#include "base/base.h"

/* Intersection over union of two boxes; 0 when they are empty. */
static inline double rp_box_overlap(const float a[4], const float b[4])
{
    const double w = RP_MIN((double) a[2], b[2]) - RP_MAX((double) a[0], b[0]);
    const double h = RP_MIN((double) a[3], b[3]) - RP_MAX((double) a[1], b[1]);
    const double both = RP_MAX(w, 0) * RP_MAX(h, 0);
    const double sum = ((double) a[2] - a[0]) * ((double) a[3] - a[1]) +
                       ((double) b[2] - b[0]) * ((double) b[3] - b[1]);

    return sum - both > 0 ? both / (sum - both) : 0;
}

#endif /* RP_FACE_BOX_H */
