/* What has happened in this process, and when: shows where the first seconds of a job go. The first
 * moments are kept, later ones dropped. Threads: any. */
#ifndef RP_TIMELINE_H
#define RP_TIMELINE_H

#include "base/base.h"

#define RP_MOMENTS 256
#define RP_MOMENT_END "the output is there" /* the last of a job */

struct rp_moment {
    double at;     /* rp_now() */
    char what[64]; /* "opened yoloface_8n" */
};

/* Something is done now. */
void rp_timeline_add(const char *fmt, ...) RP_PRINTF(1, 2);

/* The moments from `since` (rp_now()) on, in order. Returns their number, at most `most`. */
int rp_timeline_get(struct rp_moment *out, int most, double since);

/* When the process began, as a time of rp_now(); to a hundredth of a second. If the system does not
 * tell, the time of the first call. */
double rp_process_start(void);

#endif /* RP_TIMELINE_H */
