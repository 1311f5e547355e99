#include "face/tracker.h"

#include "ops/face_core.h"

#define MAX_AROUND 10
#define MAX_WINDOW (2 * MAX_AROUND + 1)
#define SAME 0.3 /* overlap of one face in two frames where only landmarks are smoothed */
#define HOLD_WINDOW (2 * RP_HOLD_MAX + 1)

/* Faces of one frame. */
struct entry {
    int64_t frame; /* -1: none yet */
    int count, cap;
    struct rp_dface *face;
    uint8_t glance[RP_GLANCE_BYTES];
};

struct rp_tracker {
    struct rp_tracker_params p;
    int n; /* entries; frame f is in entry f % n */
    struct entry entry[];
};

/* One face over the frames of a window. */
struct track {
    const struct rp_dface *at[MAX_WINDOW]; /* NULL: not seen in this frame */
    const struct rp_dface *latest;
    int first, last;
};

static struct rp_tracker_params within_limits(const struct rp_tracker_params *params)
{
    struct rp_tracker_params p = *params;

    p.around = p.score > 0 || p.smooth > 0 ? RP_CLAMP(p.around, 0, MAX_AROUND) : 0;
    p.hold.frames = RP_CLAMP(p.hold.frames, 0, RP_HOLD_MAX);
    return p;
}

int rp_tracker_ahead(const struct rp_tracker_params *params)
{
    const struct rp_tracker_params p = within_limits(params);

    return RP_MAX(p.around, p.hold.frames);
}

int rp_tracker_create(struct rp_tracker **out, const struct rp_tracker_params *params)
{
    /* one frame more on the far side: whether a scene begins in the first of the window */
    const int n = params->flying + 2 * rp_tracker_ahead(params) + 2;
    struct rp_tracker *const t = *out = calloc(1, sizeof(*t) + (size_t) n * sizeof(t->entry[0]));

    if (!t)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    t->p = within_limits(params);
    t->n = n;
    for (int i = 0; i < n; i++)
        t->entry[i].frame = -1;
    return 0;
}

void rp_tracker_destroy(struct rp_tracker **tracker)
{
    struct rp_tracker *const t = *tracker;

    if (!t)
        return;
    for (int i = 0; i < t->n; i++)
        free(t->entry[i].face);
    free(t);
    *tracker = NULL;
}

int rp_tracker_put(struct rp_tracker *t, int64_t frame, const struct rp_dfaces *faces,
                   const uint8_t *glance)
{
    const int count = rp_faces_stored(faces);
    struct entry *const e = &t->entry[frame % t->n];

    if (count > 0 && count > e->cap) {
        struct rp_dface *const more = realloc(e->face, (size_t) count * sizeof(*more));

        if (!more)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        e->face = more;
        e->cap = count;
    }
    if (count)
        memcpy(e->face, faces->face, (size_t) count * sizeof(*e->face));
    if (glance)
        memcpy(e->glance, glance, sizeof(e->glance));
    else
        memset(e->glance, 0, sizeof(e->glance));
    e->frame = frame;
    e->count = count;
    return 0;
}

/* ---- gaps ------------------------------------------------------------------------------------ */

static void mix(float *out, const float *a, const float *b, int n, double f)
{
    for (int i = 0; i < n; i++)
        out[i] = (float) (a[i] * (1 - f) + b[i] * f);
}

void rp_face_between(struct rp_dface *out, const struct rp_dface *a, const struct rp_dface *b,
                     double f)
{
    const uint32_t points = RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68;

    *out = f < 0.5 ? *a : *b;
    mix(out->box, a->box, b->box, 4, f);
    mix(out->lm5, a->lm5, b->lm5, 10, f);
    mix(out->lm5_68, a->lm5_68, b->lm5_68, 10, f);
    mix(out->lm68, a->lm68, b->lm68, 136, f);
    mix(out->lm68_5, a->lm68_5, b->lm68_5, 136, f);
    out->has &= ~points | (a->has & b->has);
    /* without fan_68_5 there are no such points; then the five give the angle of the head */
    out->angle = out->lm68_5[0] != 0 || out->lm68_5[32] != 0 ? rp_face_angle(out->lm68_5)
                                                             : rp_five_angle(out->lm5);
    out->origin = 1;
}

/* ---- tracks ---------------------------------------------------------------------------------- */

/* A frame by its number; NULL if there is none. */
static const struct entry *entry_of(const struct rp_tracker *t, int64_t number)
{
    const struct entry *const e = number < 0 ? NULL : &t->entry[number % t->n];

    return e && e->frame == number ? e : NULL;
}

/* Frame `w` of the window around `frame`; NULL if there is none. */
static const struct entry *in_window(const struct rp_tracker *t, int64_t frame, int w)
{
    return entry_of(t, frame - t->p.around + w);
}

/* Adds a face to the track whose latest face overlaps it most, or to a new track. As in FaceFusion
 * a second face of one frame may replace the first. */
static void join(const struct rp_tracker *t, struct track *track, int *n, int w,
                 const struct rp_dface *face)
{
    int best = -1;
    double most = t->p.score > 0 ? t->p.score : SAME;

    for (int i = 0; i < *n; i++) {
        const double overlap = rp_box_overlap(track[i].latest->box, face->box);

        if (overlap > most) {
            most = overlap;
            best = i;
        }
    }
    if (best < 0) {
        best = (*n)++;
        track[best].first = w;
    }
    track[best].at[w] = track[best].latest = face;
    track[best].last = w;
}

/* The face that a track has in frame `w`, seen or filled in. */
static void face_at(const struct track *track, int w, struct rp_dface *out)
{
    int a = w, b = w;

    while (!track->at[a])
        a--;
    while (!track->at[b])
        b++;
    if (a == b)
        *out = *track->at[w];
    else
        rp_face_between(out, track->at[a], track->at[b], (double) (w - a) / (b - a));
}

static int count_faces(const struct rp_tracker *t, int64_t frame)
{
    int sum = 0;

    for (int w = 0; w <= 2 * t->p.around; w++) {
        const struct entry *const e = in_window(t, frame, w);

        sum += e ? e->count : 0;
    }
    return sum;
}

/* Faces of the window as tracks; *n of them. NULL: out of memory. */
static struct track *make_tracks(const struct rp_tracker *t, int64_t frame, int *n)
{
    const int most = count_faces(t, frame);
    struct track *const track = calloc((size_t) RP_MAX(most, 1), sizeof(*track));

    *n = 0;
    for (int w = 0; track && w <= 2 * t->p.around; w++) {
        const struct entry *const e = in_window(t, frame, w);

        for (int i = 0; e && i < e->count; i++)
            join(t, track, n, w, &e->face[i]);
    }
    return track;
}

/* ---- steady landmarks ------------------------------------------------------------------------ */

/* Does another scene begin in frame `w` of the window? */
static bool cuts(const struct rp_tracker *t, int64_t frame, int w)
{
    const struct entry *const e = in_window(t, frame, w);
    const struct entry *const before = in_window(t, frame, w - 1);

    return !e || !before || rp_scene_begins(before->glance, e->glance);
}

/* How many frames on each side count: all of one scene, with the face and its points. */
static int steady_frames(const struct rp_tracker *t, int64_t frame, const struct track *k,
                         const struct rp_dface *face)
{
    const uint32_t points = face->has & (RP_HAS_LANDMARK_5 | RP_HAS_LANDMARK_68);
    const int now = t->p.around;

    for (int d = 1; d <= t->p.around; d++) {
        const struct rp_dface *const a = k->at[now - d], *const b = k->at[now + d];

        if (!a || !b || (a->has & b->has & points) != points || cuts(t, frame, now - d + 1) ||
            cuts(t, frame, now + d))
            return d - 1;
    }
    return t->p.around;
}

/* Means of n numbers at `offset` of a face, with weights that fall with the distance. */
static void steady(const struct rp_tracker *t, const struct track *k, int frames, size_t offset,
                   int n, float *out)
{
    const int now = t->p.around;

    for (int i = 0; i < n; i++) {
        double sum = out[i], weights = 1, weight = 1;

        for (int d = 1; d <= frames; d++) {
            const void *const before = (const char *) k->at[now - d] + offset;
            const void *const after = (const char *) k->at[now + d] + offset;
            const float *const a = before, *const b = after;

            weight *= t->p.smooth;
            sum += weight * ((double) a[i] + b[i]);
            weights += 2 * weight;
        }
        out[i] = (float) (sum / weights);
    }
}

static void smooth(const struct rp_tracker *t, int64_t frame, const struct track *k,
                   struct rp_dface *face)
{
    const int frames = t->p.smooth > 0 ? steady_frames(t, frame, k, face) : 0;

    if (!frames)
        return;
#define STEADY(points)                                                                             \
    steady(t, k, frames, offsetof(struct rp_dface, points), (int) RP_ARRAY_LEN(face->points),      \
           face->points)
    STEADY(lm5);
    STEADY(lm5_68);
    STEADY(lm68);
    STEADY(lm68_5);
#undef STEADY
}

/* ---- the faces of a frame -------------------------------------------------------------------- */

static void fill_gaps(const struct rp_tracker *t, int64_t frame, const struct track *track, int n,
                      struct rp_dfaces *out)
{
    const int now = t->p.around;

    for (int i = 0; i < n; i++) {
        if (track[i].first > now || track[i].last < now)
            continue;
        if (out->count == RP_MAX_FACES) {
            out->overflow = 1;
            continue;
        }
        struct rp_dface *const face = &out->face[out->count++];

        face_at(&track[i], now, face);
        smooth(t, frame, &track[i], face);
    }
}

/* Without the tracker: as they were found, in that order. */
static void as_found(const struct rp_tracker *t, int64_t frame, const struct track *track, int n,
                     struct rp_dfaces *out)
{
    const struct entry *const e = entry_of(t, frame);

    for (int i = 0; e && i < e->count; i++) {
        struct rp_dface *const face = &out->face[out->count++];

        *face = e->face[i];
        for (int k = 0; k < n; k++)
            if (track[k].at[t->p.around] == &e->face[i])
                smooth(t, frame, &track[k], face);
    }
}

static int hold(const struct rp_tracker *t, int64_t frame, struct rp_dfaces *out)
{
    struct rp_hold_frame window[HOLD_WINDOW] = {0};
    const int around = t->p.hold.frames;

    for (int w = 0; w <= 2 * around; w++) {
        const struct entry *const e = entry_of(t, frame - around + w);
        const struct entry *const before = entry_of(t, frame - around + w - 1);

        if (e)
            window[w] = (struct rp_hold_frame){
                .count = e->count, .face = e->face,
                .cut = before && rp_scene_begins(before->glance, e->glance)};
    }
    return rp_hold_faces(&t->p.hold, window, 2 * around + 1, around, out);
}

int rp_tracker_faces(const struct rp_tracker *t, int64_t frame, struct rp_dfaces *out)
{
    int n = 0;
    const bool tracked = t->p.score > 0 || t->p.smooth > 0;
    struct track *const track = tracked ? make_tracks(t, frame, &n) : NULL;

    if (tracked && !track)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    out->count = out->overflow = 0;
    if (t->p.score > 0)
        fill_gaps(t, frame, track, n, out);
    else
        as_found(t, frame, track, n, out);
    free(track);
    return t->p.hold.frames ? hold(t, frame, out) : 0;
}
