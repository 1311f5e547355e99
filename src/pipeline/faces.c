/* Finds all faces of a frame: for sources, references and reports. */
#include "pipeline/pipeline.h"

int rp_pipeline_faces(struct rp_pipeline *p, const struct rp_media_frame *frame,
                      struct rp_dfaces *faces)
{
    struct rp_program *program;
    const unsigned needs = p->use & RP_USE_ANALYSE
                               ? RP_NEED_LANDMARKS | RP_NEED_EMBEDDING | RP_NEED_CLASSES
                               : p->needs | p->source_needs;

    if (!p->full_analyser) {
        RP_CHECK(rp_analyser_create(&p->full_analyser, p->pool, p->settings, needs));
        p->analyse_plan = (struct rp_plan){
            .device = p->device, .batch = p->plan.batch, .analyser = p->full_analyser};
    }
    RP_CHECK(rp_programs_take_for(&p->programs, &p->analyse_plan, frame, &program));
    const int ret = rp_program_analyse(program, frame, faces);
    rp_programs_give(&p->programs, &program);
    return ret;
}

void rp_face_public(rp_face *out, const struct rp_dface *in)
{
    *out = (rp_face){
        .has = in->has,
        .score = in->score,
        .landmark_score = in->landmark_score,
        .angle = in->angle,
        .gender = (enum rp_gender) in->gender,
        .age_from = in->age_from,
        .age_to = in->age_to,
        .race = (enum rp_race) in->race,
    };
    memcpy(out->box, in->box, sizeof(out->box));
    memcpy(out->landmark_5, in->lm5, sizeof(out->landmark_5));
    memcpy(out->landmark_68, in->lm68, sizeof(out->landmark_68));
    memcpy(out->embedding, in->embedding_norm, sizeof(out->embedding));
}
