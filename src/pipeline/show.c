/* What is done with a frame of a target: the library side of `reprise plan`. */
#include "base/json.h"
#include "pipeline/alpha.h"
#include "engine/show.h"
#include "pipeline/pipeline.h"

struct show {
    rp_runtime *runtime;
    const struct rp_settings *settings;
    const char *target;
    enum rp_media_kind kind;
    struct rp_pipeline *pipeline;
    struct rp_program *program;
    int w, h, frames; /* in a launch */
    bool json;
    char *out;
};

/* ---- what is written ------------------------------------------------------------------------- */

static const char *pass_name(enum rp_pass pass)
{
    static const char *const names[] = {"frame", "analysing", "processing"};

    return names[pass];
}

static int no_memory(void)
{
    return rp_fail(RP_ERR_NOMEM, "out of memory");
}

/* Appends to s->out. */
static int write_text(struct show *s, const char *name, const struct rp_list *list)
{
    int ret = 0;
    char hex[RP_SHA256_HEX];
    char *const text = rp_list_text(list, rp_program_buffers(s->program)), *all = NULL;

    if (!text) {
        ret = no_memory();
        goto fail;
    }
    RP_TRY(rp_list_hash(list, hex));
    all = rp_asprintf("%s%s%s, %s\n\n%s", s->out ? s->out : "", s->out ? "\n" : "", name, hex,
                      text);
    if (!all) {
        ret = no_memory();
        goto fail;
    }
    free(s->out);
    s->out = all;

fail:
    free(text);
    return ret;
}

static int add_json(struct show *s, json_t *lists, const char *name, const struct rp_list *list)
{
    json_t *const o = rp_list_json(list, rp_program_buffers(s->program));

    if (!o || json_object_set_new(o, "pass", json_string(name)) < 0) {
        json_decref(o);
        return no_memory();
    }
    return json_array_append_new(lists, o) < 0 ? no_memory() : 0;
}

/* With the tracker, frames have two passes. */
static bool is_used(const struct rp_plan *plan, enum rp_pass pass)
{
    return plan->split == (pass != RP_PASS_WHOLE);
}

static int write_list(struct show *s, json_t *lists, const char *name, const struct rp_list *list)
{
    if (!list)
        return 0;
    return s->json ? add_json(s, lists, name, list) : write_text(s, name, list);
}

static int write_lists(struct show *s, json_t *lists)
{
    RP_CHECK(write_list(s, lists, "content check", rp_program_check_list(s->program)));
    for (int pass = 0; pass < RP_PASS_COUNT; pass++)
        if (is_used(&s->pipeline->plan, pass))
            RP_CHECK(write_list(s, lists, pass_name(pass), rp_program_list(s->program, pass)));
    return 0;
}

static int write_json(struct show *s)
{
    int ret = 0;
    json_t *const lists = json_array(), *o = NULL;

    RP_TRY(write_lists(s, lists));
    o = json_pack("{s:i, s:i, s:i, s:O}", "width", s->w, "height", s->h, "frames", s->frames,
                  "lists", lists);
    s->out = rp_json_text(o, JSON_COMPACT);
    if (!s->out)
        ret = no_memory();

fail:
    json_decref(o);
    json_decref(lists);
    return ret;
}

static int write_all(struct show *s)
{
    if (s->json)
        return write_json(s);
    s->out = rp_asprintf("%dx%d, %d frame%s a launch\n", s->w, s->h, s->frames,
                         s->frames == 1 ? "" : "s");
    return s->out ? write_lists(s, NULL) : no_memory();
}

/* ---- the program ----------------------------------------------------------------------------- */

static int make_program(struct show *s, const struct rp_media_frame *frame)
{
    const struct rp_plan *const plan = &s->pipeline->plan;
    struct rp_program_params params = rp_program_params_for(frame);

    s->w = frame->w;
    s->h = frame->h;
    params.frames = s->frames = s->kind == RP_MEDIA_VIDEO ? rp_plan_frames(plan) : 1;
    return rp_program_create(&s->program, plan, &params);
}

static int show_image(struct show *s)
{
    int ret;
    uint8_t *alpha = NULL;
    rp_image image = {0}, bgr = {0};
    struct rp_media_frame frame;

    RP_TRY(rp_image_read(&image, s->target));
    RP_TRY(rp_image_take_bgr(&image, &bgr));
    rp_frame_over_image(&frame, &bgr);
    if (s->pipeline->plan.alpha)
        RP_TRY(rp_frame_take_alpha(&frame, &image, &alpha));
    RP_TRY(make_program(s, &frame));

fail:
    if (bgr.owned)
        free(bgr.data);
    free(alpha);
    rp_image_free(&image);
    return ret;
}

static int show_video(struct show *s)
{
    struct rp_media_frame *frame = NULL;

    RP_CHECK(rp_reader_frame(s->target, 0, &frame));
    const int ret = make_program(s, frame);
    rp_media_frame_free(&frame);
    return ret;
}

static int show(void *priv)
{
    int ret;
    struct show *const s = priv;
    const struct rp_output_options *const o = rp_settings_get(s->settings, &rp_output_group);

    RP_TRY(rp_pipeline_open(&s->pipeline, s->runtime, s->settings,
                            &(const struct rp_pipeline_params){
        .use = RP_USE_PROCESS,
        .shrink = s->kind == RP_MEDIA_VIDEO && o->video_scale < 1 ? o->video_scale : 0}));
    RP_TRY(s->kind == RP_MEDIA_VIDEO ? show_video(s) : show_image(s));
    RP_TRY(write_all(s));

fail:
    rp_program_destroy(&s->program);
    rp_pipeline_destroy(&s->pipeline);
    return ret;
}

int rp_plan_show(rp_runtime *runtime, const rp_options *options, bool json, char **out)
{
    int ret;
    struct rp_executor *executor;
    struct show s = {.runtime = runtime, .settings = rp_options_settings(options), .json = json};
    const struct rp_path_options *const o = rp_settings_get(s.settings, &rp_path_group);

    *out = NULL;
    if (!o->target || !*o->target)
        return rp_fail(RP_ERR_USAGE,
                       "--target-path is missing; give the picture or video to plan for");
    s.target = o->target;
    RP_CHECK(rp_media_probe(s.target, &s.kind));
    if (s.kind != RP_MEDIA_IMAGE && s.kind != RP_MEDIA_VIDEO)
        return rp_fail(RP_ERR_FORMAT, "%s: neither a picture nor a video", s.target);
    RP_CHECK(rp_pipeline_executor(runtime, s.settings, 0, &executor));
    RP_TRY(rp_executor_run(executor, show, &s));
    *out = s.out;
    return 0;

fail:
    free(s.out);
    return ret;
}
