/* Which faces of a frame are worked on. */
#ifndef RP_SELECTOR_H
#define RP_SELECTOR_H

#include "engine/slot.h"
#include "face/options.h"

/* What a selection needs, resolved from options, sources and the reference frame. */
struct rp_selector {
    int mode, order;
    int gender, race; /* 0 = any */
    int age_from, age_to;
    int reference_position;
    float distance;
    struct rp_references references; /* host; copied to each slot */
};

/* Do the references decide who is selected? */
bool rp_selector_by_reference(const struct rp_selector *selector);

/* From the user's settings. Gender and race "auto" are those of `source` (NULL: no filter).
 * RP_ERR_USAGE if only one age bound is given. */
int rp_selector_init(struct rp_selector *out, const struct rp_settings *settings,
                     const struct rp_dface *source);

/* Does the source decide which faces are meant? */
bool rp_selector_wants_source(const struct rp_settings *settings);

/* rp_need bits: what this selection needs of the analysing stage. */
unsigned rp_selector_needs(const struct rp_settings *settings);

/* The faces of a reference frame (host memory) as they are counted: sorted, without those that the
 * filters leave out. */
void rp_selector_sort(const struct rp_selector *selector, const struct rp_dfaces *faces,
                      struct rp_selection *out);

/* Take a reference identity from the faces of a reference frame (host memory): they are sorted and
 * filtered, and the one at reference_position, or the last, is taken. A face like any of the
 * references is selected, or all other faces are. False if no face is left, or if there are as many
 * references as fit; without a reference no face is like one. */
bool rp_selector_add_reference(struct rp_selector *selector, const struct rp_dfaces *faces);
/* The same with this very face. False also if its identity is not known. */
bool rp_selector_add_face(struct rp_selector *selector, const struct rp_dface *face);

struct rp_selection_slot {
    struct rp_references *references; /* device; NULL if they do not decide */
    struct rp_selection *selection;   /* device */
    struct rp_selection *held;        /* device: with faces that are only held; NULL: not made */
};

/* The references may change until a job begins: bring them to a slot that was attached earlier. */
int rp_selector_refresh(const struct rp_selector *selector, struct rp_slot *slot,
                        const struct rp_selection_slot *at);

/* @param held  make the selection with held faces as well */
int rp_selector_attach(const struct rp_selector *selector, struct rp_slot *slot, bool held,
                       struct rp_selection_slot *out);

/* Record: faces -> selections. */
void rp_selector_record(const struct rp_selector *selector, struct rp_slot *slot,
                       const struct rp_selection_slot *at, const struct rp_dfaces *faces);

#endif /* RP_SELECTOR_H */
