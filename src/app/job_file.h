/* The file of one job, as FaceFusion writes and reads it: a JSON object
 *
 *     {"version": "1", "date_created": "...", "date_updated": null,
 *      "steps": [{"args": {"target_path": "...", ...}, "status": "drafted"}, ...]}
 *
 * It may come from anywhere: job_parse() takes only what has this form and is within the limits
 * below; whether the values of `args` mean anything is asked when the step runs (job_step.c). */
#ifndef JOB_FILE_H
#define JOB_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#define JOB_ID_SIZE 201           /* bytes of a job's id, with the zero at the end */
#define JOB_STEPS_MAX 10000       /* of one job */
#define JOB_KEYS_MAX 400          /* of one step */
#define JOB_WORDS_MAX 64          /* of one value */
#define JOB_FILE_MAX (64u << 20)  /* bytes */
#define JOB_VALUES_MAX (3u << 20) /* of all kinds, in the whole file */
#define JOB_DEPTH_MAX 16          /* of values inside of values */

/* The folder in which a job lies, and the first states of a step; JOB_STARTED is only a step's. */
enum job_status { JOB_DRAFTED, JOB_QUEUED, JOB_COMPLETED, JOB_FAILED, JOB_STARTED, JOB_STATUSES };
extern const char *const job_status_names[JOB_STATUSES + 1]; /* NULL-terminated */

/* The index of a word among job_status_names; -1 if it is none. */
int job_status_of(const char *word);

/* The id of a job by the word for it: letters, digits and hyphens stay; anything else becomes its
 * SHA-1, as in FaceFusion. RP_ERR_USAGE with a sentence if it is too long for a file's name. */
int job_id_of(const char *word, char id[JOB_ID_SIZE]);

/* Is it what job_id_of() leaves as it is? */
bool job_id_is_whole(const char *word);

/* The object in a text; NULL with a sentence that names the file. */
json_t *job_parse(const char *name, const char *text, size_t size);

/* Its text, to be freed; NULL if out of memory or if it could not be read again. */
char *job_text(const json_t *job);

/* A job without steps, created now; NULL if out of memory. */
json_t *job_new(void);

/* Now, in local time: "2026-11-29T20:01:02.000003+01:00". */
#define JOB_DATE_SIZE 40
void job_date(char text[JOB_DATE_SIZE]);

/* Seconds since then; negative if it is no date. */
double job_age(const char *date);

/* ---- steps, which a job_parse()d object has in the right form ---- */

json_t *job_steps(const json_t *job);
size_t job_step_count(const json_t *job);
json_t *job_step_args(const json_t *job, size_t step);
enum job_status job_step_status(const json_t *job, size_t step);
bool job_set_step_status(json_t *job, size_t step, enum job_status status);
bool job_set_all_steps(json_t *job, enum job_status status);

/* A value of the step's args that is a text; NULL if it is none, or empty. */
const char *job_step_path(const json_t *job, size_t step, const char *key);

/* A new drafted step; takes over `args`. False if out of memory. */
bool job_insert_step(json_t *job, size_t before, json_t *args);

/* Where a step writes until the job is done: "DIR/STEM-ID-STEP.EXT" for its output_path; to be
 * freed. NULL if it has no output_path with an extension, or if out of memory. */
char *job_step_output(const json_t *job, const char *id, size_t step);

#endif /* JOB_FILE_H */
