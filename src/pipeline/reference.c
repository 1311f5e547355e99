#include "pipeline/reference.h"

#include "pipeline/sources.h"

/* ---- pictures -------------------------------------------------------------------------------- */

static int read_picture(struct rp_pipeline *p, const char *path, struct rp_dfaces *faces)
{
    int ret, best;
    enum rp_media_kind kind;
    rp_image image = {0};

    RP_CHECK(rp_media_probe(path, &kind));
    if (kind != RP_MEDIA_IMAGE)
        return rp_fail(RP_ERR_FORMAT,
                       "--reference-face-paths: %s is not a picture; give a picture "
                       "of a face",
                       path);
    RP_TRY(rp_source_look(p, path, "reference", &image, faces, &best));
    if (best < 0 || !(faces->face[best].has & RP_HAS_EMBEDDING)) {
        ret = rp_fail(RP_ERR_FORMAT,
                      "--reference-face-paths: no face found in %s; give a picture "
                      "that shows the face clearly",
                      path);
        goto fail;
    }
    if (faces->count > 1)
        rp_log(RP_LOG_INFO, "%s: %d faces found, the largest is the reference", path, faces->count);
    rp_selector_add_face(&p->selector, &faces->face[best]);

fail:
    rp_image_free(&image);
    return ret;
}

int rp_reference_read(struct rp_pipeline *p)
{
    int ret = 0;
    struct rp_dfaces *faces;
    const struct rp_selector_options *const o = rp_settings_get(p->settings, &rp_selector_group);
    const int n = o->reference_paths.n;

    if (!n || !rp_selector_by_reference(&p->selector))
        return 0;
    if (n > RP_MAX_REFERENCES)
        return rp_fail(RP_ERR_USAGE, "--reference-face-paths: %d pictures, at most %d are possible",
                       n, RP_MAX_REFERENCES);
    if (!(faces = malloc(sizeof(*faces))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < n && ret >= 0; i++)
        ret = read_picture(p, o->reference_paths.v[i], faces);
    free(faces);
    p->pictures = p->selector.references;
    rp_reference_reset(p);
    return ret;
}

void rp_reference_reset(struct rp_pipeline *p)
{
    p->selector.references = p->pictures;
    p->has_reference =
        p->pictures.count > 0 && !rp_settings_is_set(p->settings, "reference-frame-number");
}

/* ---- frames of the target -------------------------------------------------------------------- */

bool rp_pipeline_wants_reference(const struct rp_pipeline *p)
{
    return p->plan.selector && rp_selector_by_reference(&p->selector) && !p->has_reference;
}

void rp_pipeline_share_reference(struct rp_pipeline *p, const struct rp_pipeline *from)
{
    p->selector.references = from->selector.references;
    p->has_reference = from->has_reference;
}

void rp_reference_add(struct rp_pipeline *p, const struct rp_dfaces *faces, int64_t index)
{
    if (!rp_selector_add_reference(&p->selector, faces))
        rp_log(RP_LOG_WARN,
               "no reference face in frame %lld%s; choose another with "
               "--reference-frame-number, or --face-selector-mode many",
               (long long) index,
               p->selector.references.count || p->selector.mode == RP_SELECT_ALL_BUT
                   ? ""
                   : ": nothing will be changed");
    p->has_reference = true;
}

int rp_pipeline_add_reference(struct rp_pipeline *p, const struct rp_media_frame *frame)
{
    struct rp_dfaces *const faces = malloc(sizeof(*faces));

    if (!faces)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    const int ret = rp_pipeline_faces(p, frame, faces);
    if (ret >= 0)
        rp_reference_add(p, faces, frame->index);
    free(faces);
    return ret;
}

int rp_pipeline_check_reference(struct rp_pipeline *p)
{
    if (p->selector.mode != RP_SELECT_ALL_BUT || p->selector.references.count)
        return 0;
    p->has_reference = false;
    return rp_fail(RP_ERR_FORMAT,
                   "--face-selector-mode all-but-reference: no reference face in the "
                   "target; choose another frame with --reference-frame-number, or give pictures "
                   "with --reference-face-paths");
}
