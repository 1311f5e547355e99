/* The names of batch-run's outputs. */
#ifndef BATCH_NAME_H
#define BATCH_NAME_H

#include <stddef.h>

struct batch_item {
    size_t index;
    const char *source, *target; /* paths; source NULL: there are none */
};

/* Fill a template: {index}, with a width as in {index:04d}; {source_name} and {target_name},
 * without folder and extension; {target_extension}, with its dot; {{ and }} are braces. To be
 * freed; NULL with a sentence. */
char *batch_name(const char *pattern, const struct batch_item *item);

#endif /* BATCH_NAME_H */
