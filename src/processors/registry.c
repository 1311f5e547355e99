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
