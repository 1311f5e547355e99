#include "face/hold.h"

#include <math.h>

#include "face/box.h"

#define SAME 0.1       /* overlap above which faces of two frames are one */
#define FARTHEST 2.0   /* longest way that a face is taken to have moved on, in longer sides */
#define OTHER_SCENE 30 /* mean difference of two glances, of 255 */

/* ---- tracks ---------------------------------------------------------------------------------- */

/* One sighting of a face. */
struct seen {
    const struct rp_dface *face; /* NULL: none */
    int at;
};

/* A face over the frames of a window: the last two sightings up to `now`, and the first two
 * afterwards. */
struct track {
    struct seen latest, before[2], after[2];
    int count;
    double score; /* the best */
};

struct tracks {
    int n, now;
    struct track *track;
    uint8_t *taken; /* in the current frame */
};

static int most_faces(const struct rp_hold_frame *window, int n)
{
    int sum = 0;

    for (int w = 0; w < n; w++)
        sum += window[w].count;
    return sum;
}

static void join(struct tracks *t, int i, int w, const struct rp_dface *face)
{
    struct track *const k = &t->track[i];

    k->latest = (struct seen){face, w};
    k->count++;
    k->score = RP_MAX(k->score, (double) face->score);
    t->taken[i] = 1;
    if (w <= t->now) {
        k->before[1] = k->before[0];
        k->before[0] = k->latest;
    } else if (!k->after[0].face) {
        k->after[0] = k->latest;
    } else if (!k->after[1].face) {
        k->after[1] = k->latest;
    }
}

/* The free track among the first n that a face overlaps most; -1: none. */
static int nearest(const struct tracks *t, int n, int from, const struct rp_dface *face,
                   double *most)
{
    int best = -1;

    *most = SAME;
    for (int i = 0; i < n; i++) {
        if (t->taken[i] || t->track[i].latest.at < from)
            continue;
        const double overlap = rp_box_overlap(t->track[i].latest.face->box, face->box);

        if (overlap > *most) {
            *most = overlap;
            best = i;
        }
    }
    return best;
}

/* Faces of one frame join tracks, the surest first; each track takes one of them. */
static void add_frame(struct tracks *t, const struct rp_hold_frame *f, int w, int from)
{
    double overlap[RP_MAX_FACES];
    int want[RP_MAX_FACES], left = f->count;
    bool done[RP_MAX_FACES] = {false};
    const int n = t->n;

    memset(t->taken, 0, (size_t) n);
    for (int i = 0; i < f->count; i++)
        want[i] = nearest(t, n, from, &f->face[i], &overlap[i]);
    while (left > 0) {
        int best = 0;

        while (done[best])
            best++;
        for (int i = best + 1; i < f->count; i++)
            if (!done[i] && overlap[i] > overlap[best])
                best = i;
        if (want[best] >= 0 && t->taken[want[best]]) {
            want[best] = nearest(t, n, from, &f->face[best], &overlap[best]);
            continue;
        }
        join(t, want[best] < 0 ? t->n++ : want[best], w, &f->face[best]);
        done[best] = true;
        left--;
    }
}

static int make_tracks(struct tracks *t, const struct rp_hold *h,
                       const struct rp_hold_frame *window, int n)
{
    const size_t most = (size_t) RP_MAX(most_faces(window, n), 1);

    t->track = calloc(most, sizeof(*t->track));
    t->taken = calloc(most, 1);
    if (!t->track || !t->taken)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int w = 0; w < n; w++)
        add_frame(t, &window[w], w, w - h->frames);
    return 0;
}

/* ---- boxes ----------------------------------------------------------------------------------- */

static double longer(const float box[4])
{
    return RP_MAX((double) box[2] - box[0], (double) box[3] - box[1]);
}

static double centre(const float box[4], int axis)
{
    return ((double) box[axis] + box[2 + axis]) / 2;
}

static void grow(float box[4], double by)
{
    for (int i = 0; i < 4; i++)
        box[i] = (float) (i < 2 ? box[i] - by : box[i] + by);
}

/* The box reaches as far as the face went from `other` to this sighting, once more for each frame
 * that has passed since. */
static void move_on(float box[4], const struct seen *s, const struct seen *other, double frames)
{
    const double limit = FARTHEST * longer(s->face->box);

    if (!other->face)
        return;
    for (int axis = 0; axis < 2; axis++) {
        const double step =
            (centre(s->face->box, axis) - centre(other->face->box, axis)) / abs(s->at - other->at);
        const double way = RP_CLAMP(step * frames, -limit, limit);

        box[axis + (way > 0 ? 2 : 0)] += (float) way;
    }
}

static void emit(struct rp_dfaces *out, const struct rp_dface *face, const float box[4])
{
    if (out->count >= RP_MAX_FACES) {
        out->overflow = 1;
        return;
    }
    struct rp_dface *const f = &out->face[out->count++];

    *f = *face;
    memcpy(f->box, box, sizeof(f->box));
    f->origin = RP_FACE_HELD;
}

static void emit_between(const struct rp_hold *h, const struct seen *a, const struct seen *b,
                         int now, struct rp_dfaces *out)
{
    float box[4];
    const double f = (double) (now - a->at) / (b->at - a->at);
    const struct seen *const nearer = f < 0.5 ? a : b, *const other = f < 0.5 ? b : a;

    for (int i = 0; i < 4; i++)
        box[i] = (float) (a->face->box[i] * (1 - f) + b->face->box[i] * f);
    grow(box, h->grow * abs(now - nearer->at) * RP_MAX(longer(a->face->box), longer(b->face->box)));
    emit(out, nearer->face, box);
    if (h->who)
        emit(out, other->face, box);
}

static void emit_held(const struct rp_hold *h, const struct seen *s, const struct seen *other,
                      int now, struct rp_dfaces *out)
{
    float box[4];
    const int frames = abs(now - s->at);

    memcpy(box, s->face->box, sizeof(box));
    move_on(box, s, other, frames);
    grow(box, h->grow * frames * longer(s->face->box));
    emit(out, s->face, box);
}

/* ---- what is held ---------------------------------------------------------------------------- */

/* Is frame `now` within the time for which a sighting in frame `at` holds? */
static bool is_within(const struct rp_hold *h, const struct rp_hold_frame *window, int at, int now)
{
    const int first = RP_MIN(at, now), last = RP_MAX(at, now);

    if (last - first > h->frames)
        return false;
    for (int w = first + 1; w <= last; w++)
        if (window[w].cut && (now > at ? now - w + 1 : w - now) > RP_HOLD_OVER_CUT)
            return false;
    return true;
}

static bool has_cut(const struct rp_hold_frame *window, int first, int last)
{
    for (int w = first + 1; w <= last; w++)
        if (window[w].cut)
            return true;
    return false;
}

static bool is_sure(const struct rp_hold *h, const struct track *k)
{
    return k->count > 1 || k->score >= h->sure;
}

/* May the face seen last in `a` be the one first seen in `b`, too far away to overlap? */
static bool may_be(const struct seen *a, const struct seen *b)
{
    const double sa = longer(a->face->box), sb = longer(b->face->box);
    const double dx = centre(a->face->box, 0) - centre(b->face->box, 0);
    const double dy = centre(a->face->box, 1) - centre(b->face->box, 1);
    const double reach = FARTHEST * RP_MAX(sa, sb);

    return sa < 2 * sb && sb < 2 * sa && dx * dx + dy * dy < reach * reach;
}

/* A face that moved far while it was not seen: it ends in one track and begins in another. */
static void bridge(const struct rp_hold *h, const struct tracks *t,
                   const struct rp_hold_frame *window, const struct track *from,
                   struct rp_dfaces *out)
{
    const struct seen *const a = &from->before[0];
    const struct seen *best = NULL;

    for (int i = 0; i < t->n; i++) {
        const struct seen *const b = &t->track[i].after[0];

        if (b->face && !t->track[i].before[0].face && is_sure(h, &t->track[i]) &&
            (!best || b->at < best->at) && may_be(a, b) && !has_cut(window, a->at, b->at))
            best = b;
    }
    if (best)
        emit_between(h, a, best, t->now, out);
}

/* A face that was found is also said to be whom its neighbours in time are taken for: so nobody is
 * taken for another in one frame alone. */
static void emit_who(const struct rp_hold_frame *window, const struct track *k,
                     struct rp_dfaces *out)
{
    const struct seen *const now = &k->before[0];
    const struct seen *const others[] = {&k->before[1], &k->after[0]};

    for (int i = 0; i < 2; i++) {
        const struct seen *const o = others[i];

        if (o->face && !has_cut(window, RP_MIN(o->at, now->at), RP_MAX(o->at, now->at)))
            emit(out, o->face, now->face->box);
    }
}

static void hold_track(const struct rp_hold *h, const struct tracks *t,
                       const struct rp_hold_frame *window, const struct track *k,
                       struct rp_dfaces *out)
{
    const struct seen *const a = &k->before[0], *const b = &k->after[0];

    if (a->face && a->at == t->now) {
        if (h->who)
            emit_who(window, k, out);
        return;
    }
    if (!is_sure(h, k))
        return;
    if (a->face && b->face) {
        emit_between(h, a, b, t->now, out);
    } else if (a->face && is_within(h, window, a->at, t->now)) {
        emit_held(h, a, &k->before[1], t->now, out);
        bridge(h, t, window, k, out);
    } else if (b->face && is_within(h, window, b->at, t->now)) {
        emit_held(h, b, &k->after[1], t->now, out);
    }
}

int rp_hold_faces(const struct rp_hold *h, const struct rp_hold_frame *window, int n, int now,
                  struct rp_dfaces *out)
{
    int ret;
    struct tracks t = {.now = now};

    RP_TRY(make_tracks(&t, h, window, n));
    for (int i = 0; i < t.n; i++)
        hold_track(h, &t, window, &t.track[i], out);

fail:
    free(t.track);
    free(t.taken);
    return ret;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

bool rp_scene_begins(const uint8_t before[RP_GLANCE_BYTES], const uint8_t now[RP_GLANCE_BYTES])
{
    int sum = 0;

    for (int i = 0; i < RP_GLANCE_BYTES; i++)
        sum += abs(before[i] - now[i]);
    return sum > OTHER_SCENE * RP_GLANCE_BYTES;
}
