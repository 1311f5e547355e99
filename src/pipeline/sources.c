#include "pipeline/sources.h"

#include "face/identity.h"
#include "pipeline/alpha.h"

/* ---- one picture ----------------------------------------------------------------------------- */

/* For the mark; what is there already is said once. */
static void note_damage(struct rp_sources *s, const char *what, const char *damage)
{
    char text[256];
    const size_t n = strlen(s->damage);

    snprintf(text, sizeof(text), "%s %.230s", what, damage);
    if (damage[0] && !strstr(s->damage, text))
        snprintf(s->damage + n, sizeof(s->damage) - n, "%s%s", n ? ", " : "", text);
}

int rp_source_look(struct rp_pipeline *p, const char *path, const char *what, rp_image *image,
                   struct rp_dfaces *faces, int *best)
{
    char damage[200];
    struct rp_media_frame frame;

    RP_CHECK(rp_image_read_damaged(image, path, rp_accepts_damage(p->settings), damage,
                                   sizeof(damage)));
    note_damage(&p->sources, what, damage);
    rp_image_drop_alpha(image);
    rp_frame_over_image(&frame, image);
    RP_CHECK(rp_pipeline_faces(p, &frame, faces));
    *best = rp_face_largest(faces);
    return 0;
}

/* Keep the first picture and its face where processors can crop from it. */
static int keep_first(struct rp_pipeline *p, struct rp_source *s, const rp_image *image,
                      const struct rp_dface *face)
{
    struct rp_slot *const slot = p->sources.slot;
    const size_t row = (size_t) image->w * 3;

    RP_CHECK(rp_slot_image(slot, image->w, image->h, 3, &s->first));
    for (int y = 0; y < image->h; y++)
        RP_CHECK(rp_slot_upload(slot, s->first.data + (ptrdiff_t) y * s->first.stride,
                                image->data + y * image->stride, row));
    RP_CHECK(rp_slot_sync(slot));
    return rp_slot_constant(slot, face, sizeof(*face), (void **) &s->first_face);
}

int rp_source_add(struct rp_pipeline *p, struct rp_source *s, const char *path,
                  struct rp_dfaces *faces)
{
    int ret, best;
    rp_image image = {0};

    RP_TRY(rp_source_look(p, path, "source", &image, faces, &best));
    if (best < 0) {
        rp_log(RP_LOG_WARN, "%s: no face found in this source", path);
        goto fail;
    }
    if (faces->count > 1)
        rp_log(RP_LOG_INFO, "%s: %d faces found, the largest is the source", path, faces->count);
    if (s->count == 0)
        RP_TRY(keep_first(p, s, &image, &faces->face[best]));
    rp_face_keep_larger(&s->largest, s->count, &faces->face[best]);
    rp_face_average(&s->average, s->count++, &faces->face[best]);

fail:
    rp_image_free(&image);
    return ret;
}

/* Does anything need the faces of --source-paths? */
static bool wants_faces(const struct rp_pipeline *p)
{
    bool wants = rp_selector_wants_source(p->settings);

    for (int i = 0; i < p->plan.nprocessors; i++)
        wants |= p->plan.processor[i].def->needs_source;
    return wants && p->analyser;
}

/* ---- --source-paths -------------------------------------------------------------------------- */

int rp_sources_read(struct rp_pipeline *p)
{
    int ret;
    enum rp_media_kind kind;
    struct rp_dfaces *const faces = malloc(sizeof(*faces));
    const struct rp_path_options *const o = rp_settings_get(p->settings, &rp_path_group);

    if (!faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    RP_TRY(rp_slot_create(&p->sources.slot, p->device));
    for (int i = 0; i < o->sources.n; i++) {
        RP_TRY(rp_media_probe(o->sources.v[i], &kind));
        if (kind == RP_MEDIA_AUDIO && !p->replace_audio) {
            p->replace_audio = strdup(o->sources.v[i]);
        } else if (kind == RP_MEDIA_IMAGE) {
            if (wants_faces(p))
                RP_TRY(rp_source_add(p, &p->sources.main, o->sources.v[i], faces));
        } else if (kind != RP_MEDIA_AUDIO) {
            ret = rp_fail(RP_ERR_FORMAT, "%s: not a picture; a source is a picture of a face",
                          o->sources.v[i]);
            goto fail;
        }
    }
    ret = 0;

fail:
    free(faces);
    return ret;
}

int rp_sources_sound(struct rp_pipeline *p)
{
    enum rp_media_kind kind;
    const struct rp_path_options *const o = rp_settings_get(p->settings, &rp_path_group);

    for (int i = 0; i < o->sources.n && !p->replace_audio; i++) {
        RP_CHECK(rp_media_probe(o->sources.v[i], &kind));
        if (kind == RP_MEDIA_AUDIO && !(p->replace_audio = strdup(o->sources.v[i])))
            return rp_fail(RP_ERR_NOMEM, "out of memory");
    }
    return 0;
}

int rp_sources_check(const struct rp_pipeline *p)
{
    const struct rp_path_options *const o = rp_settings_get(p->settings, &rp_path_group);

    for (int i = 0; i < p->plan.nprocessors; i++) {
        const struct rp_processor *const def = p->plan.processor[i].def;

        if (!def->needs_source || p->sources.main.count || p->sources.n)
            continue;
        if (o->sources.n <= (p->replace_audio ? 1 : 0))
            return rp_fail(RP_ERR_USAGE, "--source-paths: %s needs a picture of the source face",
                           def->name);
        return rp_fail(RP_ERR_FORMAT, "%s: no source face detected; give a picture that shows the "
                       "face clearly, or lower --face-detector-score", o->sources.v[0]);
    }
    return 0;
}
