#include "face/selector.h"

#include "engine/list.h"

#include "face/analyser.h"

enum { AUTO = 0 }; /* index of "auto" in the gender and race choices; the others are enum values */

int rp_selector_init(struct rp_selector *out, const struct rp_settings *settings,
                     const struct rp_dface *source)
{
    const struct rp_selector_options *const o = rp_settings_get(settings, &rp_selector_group);
    const bool from = rp_settings_is_set(settings, "face-selector-age-start");
    const bool to = rp_settings_is_set(settings, "face-selector-age-end");

    if (from != to)
        return rp_fail(RP_ERR_USAGE, "--face-selector-age-start and --face-selector-age-end belong "
                       "together; give both or none");
    *out = (struct rp_selector){
        .mode = o->mode,
        .order = o->order,
        .age_from = o->age_start,
        .age_to = o->age_end,
        .reference_position = o->reference_position,
        .distance = (float) o->reference_distance,
    };
    if (o->gender == AUTO)
        out->gender = source ? source->gender : 0;
    else if (o->gender > 0)
        out->gender = o->gender;
    if (o->race == AUTO)
        out->race = source ? source->race : 0;
    else if (o->race > 0)
        out->race = o->race;
    return 0;
}

static bool by_reference(int mode)
{
    return mode == RP_SELECT_REFERENCE || mode == RP_SELECT_ALL_BUT;
}

bool rp_selector_by_reference(const struct rp_selector *s)
{
    return by_reference(s->mode);
}

bool rp_selector_wants_source(const struct rp_settings *settings)
{
    const struct rp_selector_options *const o = rp_settings_get(settings, &rp_selector_group);

    return o->gender == AUTO || o->race == AUTO;
}

unsigned rp_selector_needs(const struct rp_settings *settings)
{
    const struct rp_selector_options *const o = rp_settings_get(settings, &rp_selector_group);
    unsigned needs = 0;

    if (by_reference(o->mode))
        needs |= RP_NEED_EMBEDDING;
    if (o->gender >= 0 || o->race >= 0 || o->age_start > 0 || o->age_end > 0)
        needs |= RP_NEED_CLASSES;
    return needs;
}

void rp_selector_sort(const struct rp_selector *s, const struct rp_dfaces *faces,
                      struct rp_selection *out)
{
    rp_c_select(NULL, &(struct rp_op_select){
        .faces = faces, .mode = RP_SELECT_MANY, .order = s->order, .gender = s->gender,
        .race = s->race, .age_from = s->age_from, .age_to = s->age_to, .dst = out});
}

bool rp_selector_add_reference(struct rp_selector *s, const struct rp_dfaces *faces)
{
    struct rp_selection found;

    rp_selector_sort(s, faces, &found);
    if (found.count == 0)
        return false;
    return rp_selector_add_face(
        s, &faces->face[found.index[RP_MIN(s->reference_position, found.count - 1)]]);
}

bool rp_selector_add_face(struct rp_selector *s, const struct rp_dface *face)
{
    struct rp_references *const r = &s->references;

    if (r->count == RP_MAX_REFERENCES || !(face->has & RP_HAS_EMBEDDING))
        return false;
    memcpy(r->embedding_norm[r->count++], face->embedding_norm, sizeof(r->embedding_norm[0]));
    return true;
}

int rp_selector_attach(const struct rp_selector *s, struct rp_slot *slot, bool held,
                       struct rp_selection_slot *out)
{
    memset(out, 0, sizeof(*out));
    RP_CHECK(rp_slot_alloc(slot, sizeof(*out->selection), (void **) &out->selection));
    if (held)
        RP_CHECK(rp_slot_alloc(slot, sizeof(*out->held), (void **) &out->held));
    if (rp_selector_by_reference(s))
        RP_CHECK(rp_slot_constant(slot, &s->references, sizeof(s->references),
                                  (void **) &out->references));
    return 0;
}

int rp_selector_refresh(const struct rp_selector *s, struct rp_slot *slot,
                        const struct rp_selection_slot *at)
{
    if (!at->references)
        return 0;
    RP_CHECK(rp_slot_upload(slot, at->references, &s->references, sizeof(s->references)));
    return rp_slot_sync(slot);
}

void rp_selector_record(const struct rp_selector *s, struct rp_slot *slot,
                       const struct rp_selection_slot *at, const struct rp_dfaces *faces)
{
    struct rp_op_select args = {
        .faces = faces, .mode = s->mode, .order = s->order, .gender = s->gender, .race = s->race,
        .age_from = s->age_from, .age_to = s->age_to, .references = at->references,
        .distance = s->distance, .dst = at->selection};

    rp_record_stage(slot, RP_STAGE_SELECT);
    RP_OP_FROM(slot, select, &args);
    if (!at->held)
        return;
    args.held = 1;
    args.dst = at->held;
    RP_OP_FROM(slot, select, &args);
}
