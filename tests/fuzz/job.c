/* The file of a job, and the template of a batch's names. */
#include "app/app.h"
#include "app/batch_name.h"
#include "app/job_file.h"
#include "app/job_step.h"
#include "fuzz.h"

/* A step that is taken can be written again as one that is taken, and means the same. */
static void check_step(const json_t *job, size_t step)
{
    rp_options *options = NULL, *again = NULL;

    fuzz_must(rp_options_create(&options) >= 0 && rp_options_create(&again) >= 0);
    if (job_args_apply(job_step_args(job, step), options) >= 0) {
        json_t *const args = job_args_of(options), *twice = NULL;

        fuzz_must(args && job_args_apply(args, again) >= 0);
        fuzz_must((twice = job_args_of(again)) && json_equal(args, twice));
        json_decref(twice);
        json_decref(args);
    }
    rp_options_destroy(&again);
    rp_options_destroy(&options);
    free(job_step_output(job, "fuzz", step));
    fuzz_must(job_step_status(job, step) < JOB_STATUSES);
}

/* A job that is taken can be written, and is then taken again, with as many steps. */
void fuzz_job(const uint8_t *data, size_t size)
{
    char id[JOB_ID_SIZE];

    app_log_level(RP_LOG_QUIET);
    json_t *const job = job_parse("fuzz.json", (const char *) data, size);
    if (!job)
        return;
    char *const text = job_text(job);
    json_t *const again = text ? job_parse("fuzz.json", text, strlen(text)) : NULL;
    fuzz_must(again && job_step_count(again) == job_step_count(job));
    const char *const date = json_string_value(json_object_get(job, "date_created"));
    fuzz_must(job_age(date) >= -1);
    if (job_id_of(date, id) >= 0)
        fuzz_must(*id && !strchr(id, '/') && !strchr(id, '.') && job_id_is_whole(id));
    for (size_t i = 0; i < job_step_count(job) && i < 4; i++)
        check_step(job, i);
    json_decref(again);
    free(text);
    json_decref(job);
}

/* Lines: the template, the target, the source. What is made has no brace that was not asked for. */
void fuzz_template(const uint8_t *data, size_t size)
{
    char *const text = strndup((const char *) data, size), *state = NULL;
    const char *const pattern = strtok_r(text, "\n", &state);
    const char *const target = pattern ? strtok_r(NULL, "\n", &state) : NULL;
    const char *const source = target ? strtok_r(NULL, "\n", &state) : NULL;

    app_log_level(RP_LOG_QUIET);
    if (target) {
        char *const name = batch_name(pattern, &(struct batch_item){7, source, target});

        fuzz_must(!name || strlen(name) < 4096);
        if (name && !strpbrk(pattern, "{}"))
            fuzz_must(!strcmp(name, pattern));
        free(name);
    }
    free(text);
}
