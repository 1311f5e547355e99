#include "base/json.h"

#include <stdlib.h>

char *rp_json_text(const json_t *value, size_t flags)
{
    const size_t size = value ? json_dumpb(value, NULL, 0, flags) : 0;
    char *const text = size ? malloc(size + 1) : NULL;

    if (text && json_dumpb(value, text, size, flags) == size) {
        text[size] = '\0';
        return text;
    }
    free(text);
    return NULL;
}
