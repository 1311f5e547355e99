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

/* FaceFusion's rules: a frame is checked if its number is a multiple of this; a video is blocked if
 * more than 10 % of the checked frames were positive. */
int rp_content_interval(double fps);
bool rp_content_blocks(int64_t checked, int64_t positive);

#endif /* RP_CONTENT_H */
