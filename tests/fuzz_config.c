/* Any text as a config file: values are what the table allows; a refused file changes none. */
#include "option_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_untouched(const struct rp_settings *s)
{
    for (const struct rp_opt *o = look_opts; o->name; o++) {
        if (rp_settings_is_set(s, o->name))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rp_settings *s = NULL;
    char *const text = strndup((const char *) data, size);

    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    if (!text || rp_settings_create(&s, option_groups) < 0)
        abort();
    if (rp_settings_read_ini_text(s, "fuzz.ini", text) < 0)
        check_untouched(s);
    if (!promises_kept(s))
        abort();
    rp_settings_destroy(&s);
    free(text);
    return 0;
}
