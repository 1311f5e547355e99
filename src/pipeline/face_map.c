#include "pipeline/face_map.h"

#include "base/path.h"
#include "face/identity.h"
#include "pipeline/sources.h"
#include "processors/face_swapper.h"

/* SOURCE=REFERENCE: names of files may contain '=' themselves, so the first '=' with a file on both
 * sides separates them, else the first of all. `pair` is cut in two. */
static char *cut_pair(char *pair)
{
    char *first = NULL;

    for (char *at = strchr(pair, '='); at; at = strchr(at + 1, '=')) {
        if (!first)
            first = at;
        *at = 0;
        if (rp_path_is_file(pair) && rp_path_is_file(at + 1))
            return at + 1;
        *at = '=';
    }
    if (!first)
        return NULL;
    *first = 0;
    return first + 1;
}

static int read_pair(struct rp_pipeline *p, const char *path, const char *reference,
                     struct rp_dfaces *faces)
{
    int ret, best;
    rp_image image = {0};
    struct rp_sources *const s = &p->sources;

    RP_TRY(rp_source_add(p, &s->map[s->n], path, faces));
    if (!s->map[s->n].count)
        return rp_fail(RP_ERR_FORMAT, "--face-map: no face found in the source %s", path);
    RP_TRY(rp_source_look(p, reference, "reference", &image, faces, &best));
    if (best < 0) {
        ret = rp_fail(RP_ERR_FORMAT, "--face-map: no face found in the reference %s", reference);
        goto fail;
    }
    if (faces->count > 1)
        rp_log(RP_LOG_INFO, "%s: %d faces found, the largest is the reference", reference,
               faces->count);
    memcpy(s->references.embedding_norm[s->n], faces->face[best].embedding_norm,
           sizeof(s->references.embedding_norm[0]));
    s->references.count = ++s->n;

fail:
    rp_image_free(&image);
    return ret;
}

/* Only face_swapper uses the map. */
static bool swaps(const struct rp_pipeline *p)
{
    for (int i = 0; i < p->plan.nprocessors; i++)
        if (p->plan.processor[i].def->group == &rp_swapper_group)
            return true;
    return false;
}

int rp_face_map_read(struct rp_pipeline *p)
{
    int ret = 0;
    struct rp_dfaces *faces;
    const struct rp_swapper_options *const o = rp_settings_get(p->settings, &rp_swapper_group);

    if (!o->map.n || !swaps(p))
        return 0;
    if (o->map.n > RP_MAX_REFERENCES)
        return rp_fail(RP_ERR_USAGE, "--face-map: %d pairs, at most %d are possible", o->map.n,
                       RP_MAX_REFERENCES);
    if (!(faces = malloc(sizeof(*faces))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (int i = 0; i < o->map.n && ret >= 0; i++) {
        char *const pair = strdup(o->map.v[i]);
        const char *const reference = pair ? cut_pair(pair) : NULL;

        if (!pair)
            ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        else if (!reference || !*reference || !*pair)
            ret = rp_fail(RP_ERR_USAGE, "--face-map: %s is not SOURCE=REFERENCE, two pictures",
                          o->map.v[i]);
        else
            ret = read_pair(p, pair, reference, faces);
        free(pair);
    }
    free(faces);
    return ret;
}
