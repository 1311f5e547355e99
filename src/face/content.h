/* The content check. It cannot be switched off: a job without its models does not start.
 *
 * It is FaceFusion's three networks, of which two must vote against a frame; or one of them alone;
 * or the lite one, which also replaces the three where they are not installed. */
#ifndef RP_CONTENT_H
#define RP_CONTENT_H

#include "base/option.h"
#include "models/pool.h"

struct rp_content_check; /* shared */
struct rp_content_slot;  /* in one slot, for frames of one size */

struct rp_content_options {
    int model; /* index into the catalogue's choices */
};
extern const struct rp_opt_group rp_content_group;

/* RP_ERR_MISSING with the command that fetches what is missing. */
int rp_content_create(struct rp_content_check **out, struct rp_pool *pool,
                      const struct rp_settings *settings);
void rp_content_destroy(struct rp_content_check **content);

/* For the end of a sentence that refuses something: what to do if it is harmless. "" unless the
 * lite network decided. */
const char *rp_content_advice(const struct rp_content_check *content);

/* @param w,h  size of the frames */
int rp_content_attach(struct rp_content_slot **out, const struct rp_content_check *content,
                      struct rp_slot *slot, int w, int h);
void rp_content_detach(struct rp_content_slot **at);

/* Record: check the frame and add the result to the verdict (device memory of the slot). */
void rp_content_record(struct rp_content_slot *at, const struct rp_img *frame);
struct rp_verdict *rp_content_verdict(const struct rp_content_slot *at);

/* ---- which frames of a video ------------------------------------------------------------------
 *
 * Examined are, of the part that is worked on:
 *
 *  - the first frame and the last;
 *  - a frame for each second of play by the frames' own times: the last one before more than a
 *    second would have passed since the last examined one (at 25 frames a second each 25th, at
 *    29.97 each 29th, as in FaceFusion; below 1 a second every one);
 *  - one of RP_CONTENT_APART frames, whatever their times say;
 *  - RP_CONTENT_LEAST frames, evenly spread, or all of a shorter video.
 *
 * So that the last can be done while the video is read, it is taken from the file how many frames
 * it has. The promise does not depend on that: if too few were examined in the end, which needs a
 * false claim, the missing ones are examined afterwards.
 *
 * With --frame the part is that frame, which is therefore examined, and it alone decides.
 *
 * A frame is chosen when the next one is known, before it is worked on, by one thread in the order
 * of the video. So it depends on the video alone, not on speed, devices, threads or options. */
enum { RP_CONTENT_LEAST = 20, RP_CONTENT_APART = 60 };

struct rp_content_sampler {
    int64_t step;                     /* between two examined frames at most */
    int64_t seen;                     /* frames so far */
    int64_t last;                     /* number of the last examined one, from 0 */
    double time;                      /* of that, seconds */
    int64_t chosen;                   /* so far */
    int64_t number[RP_CONTENT_LEAST]; /* of the first ones */
};

/* @param frames  that the video is said to have, in the part that is worked on; 0: unknown */
void rp_content_sample_begin(struct rp_content_sampler *sampler, int64_t frames);

/* Is the next frame examined? @param time  of it, seconds  @param next  of the frame after it;
 * INFINITY after the last */
bool rp_content_sample(struct rp_content_sampler *sampler, double time, double next);

/* The next frame was examined, or not, as another sampler said: afterwards this one is as that. So
 * the state can be followed elsewhere, and a job that goes on later begins with it. */
void rp_content_sampled(struct rp_content_sampler *sampler, double time, bool examined);

/* After the last frame: is frame `number` (from 0) to be examined afterwards? Below 0: is any? */
bool rp_content_is_late(const struct rp_content_sampler *sampler, int64_t number);

/* At most so many frames are examined of a video. @param longest  seconds that a frame is shown */
int64_t rp_content_most(const struct rp_content_sampler *sampler, int64_t frames, double seconds,
                        double longest);

/* FaceFusion's rule: a video is blocked if more than 10 % of the examined frames were positive. */
bool rp_content_blocks(int64_t checked, int64_t positive);

#endif /* RP_CONTENT_H */
