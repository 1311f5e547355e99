/* Any lines "name value": values stay within what the table allows, and a value written as text is
 * read back as the same text. */
#include "option_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct rp_settings *s, const char *name)
{
    char *const before = rp_settings_text(s, name);

    if (before) {
        if (rp_settings_set_text(s, name, before) < 0)
            abort();
        char *const after = rp_settings_text(s, name);
        if (!after || strcmp(before, after) != 0)
            abort();
        free(after);
    }
    free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rp_settings *s = NULL;
    char *const text = strndup((const char *) data, size), *state = NULL;

    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    if (!text || rp_settings_create(&s, option_groups) < 0)
        abort();
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char *const blank = strchr(line, ' ');
        if (blank)
            *blank = '\0';
        if (rp_settings_set_text(s, line, blank ? blank + 1 : NULL) == 0)
            check_text(s, line);
        if (!promises_kept(s))
            abort();
    }
    rp_settings_destroy(&s);
    free(text);
    return 0;
}
