#include "processors/processor.h"

#include <pthread.h>

extern const struct rp_processor rp_age_modifier, rp_background_remover, rp_deep_swapper,
    rp_expression_restorer, rp_face_blur, rp_face_debugger, rp_face_editor, rp_face_enhancer,
    rp_face_swapper, rp_frame_colorizer, rp_frame_enhancer, rp_lip_syncer;

const struct rp_processor *const rp_processors[] = {
    &rp_age_modifier,
    &rp_background_remover,
    &rp_deep_swapper,
    &rp_expression_restorer,
    &rp_face_blur,
    &rp_face_debugger,
    &rp_face_editor,
    &rp_face_enhancer,
    &rp_face_swapper,
    &rp_frame_colorizer,
    &rp_frame_enhancer,
    &rp_lip_syncer,
    NULL,
};

const struct rp_processor *rp_processor_find(const char *name)
{
    for (int i = 0; rp_processors[i]; i++)
        if (!strcmp(rp_processors[i]->name, name))
            return rp_processors[i];
    return NULL;
}

/* ---- their memory ---------------------------------------------------------------------------- */

int rp_processor_create(const struct rp_processor *def, void **self,
                        const struct rp_processor_context *context)
{
    if (!(*self = calloc(1, RP_MAX(def->self_size, 1))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    const int ret = def->create ? def->create(*self, context) : 0;
    if (ret < 0)
        rp_processor_destroy(def, self);
    return ret;
}

void rp_processor_destroy(const struct rp_processor *def, void **self)
{
    if (*self && def->destroy)
        def->destroy(*self);
    free(*self);
    *self = NULL;
}

int rp_processor_attach(const struct rp_processor *def, void **at, const void *self,
                        struct rp_slot *slot, int w, int h)
{
    if (!(*at = calloc(1, RP_MAX(def->at_size, 1))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    const int ret = def->attach ? def->attach(*at, self, slot, w, h) : 0;
    if (ret < 0)
        rp_processor_detach(def, at);
    return ret;
}

void rp_processor_detach(const struct rp_processor *def, void **at)
{
    if (*at && def->detach)
        def->detach(*at);
    free(*at);
    *at = NULL;
}

/* ---------------------------------------------------------------------------------------------- */

unsigned rp_processor_needs(const struct rp_processor *def, const struct rp_settings *settings)
{
    unsigned needs = def->needs | (def->needs_of ? def->needs_of(settings) : 0);

    if (def->whole_frame)
        return needs;
    return needs | (def->may_do_without_points ? 0 : RP_NEED_POINTS);
}

static const char *names[RP_ARRAY_LEN(rp_processors)];

static void list_names(void)
{
    for (int i = 0; rp_processors[i]; i++)
        names[i] = rp_processors[i]->name;
}

const char *const *rp_processor_choices(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, list_names);
    return names;
}
