/* The args of a job's step, and options. */
#ifndef JOB_STEP_H
#define JOB_STEP_H

#include <jansson.h>

#include "reprise/reprise.h"

/* Does an option belong to the command that runs a job, and not to a step? Then it is in no file of
 * a job, and one that a file has is not looked at. */
bool job_is_of_command(const rp_option_info *option);

/* The args of a step with these options: every key that FaceFusion writes, with its defaults, and
 * those of this program's own that are not at theirs. NULL with a sentence: out of memory, or a
 * name of a file that is not UTF-8, which JSON has no place for. */
json_t *job_args_of(const rp_options *options);

/* Set the options as the args say. A value that is FaceFusion's default counts as not given.
 * RP_ERR_USAGE with a sentence, as for the words of a command line. */
int job_args_apply(const json_t *args, rp_options *options);

/* Set the options of `command` that belong to it and were given. */
int job_command_apply(const rp_options *command, rp_options *options);

#endif /* JOB_STEP_H */
