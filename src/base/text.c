/* Text from outside (names of files, what files say of themselves, replies of servers, messages of
 * other libraries), made fit to be shown. The one place that knows what a terminal must not get. */
#include "base/base.h"

/* Bytes of the UTF-8 character at s, with its code point; 0 if there is no valid one. The zero at
 * the end is no continuation byte, so nothing after it is read. */
static size_t utf8_char(const unsigned char *s, unsigned *code)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = s[0] < 0x80   ? 1
                     : s[0] < 0xc2 ? 0
                     : s[0] < 0xe0 ? 2
                     : s[0] < 0xf0 ? 3
                     : s[0] < 0xf5 ? 4
                                   : 0;

    *code = n > 1 ? s[0] & (0xffu >> (n + 1)) : s[0];
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3f);
    }
    if (n && (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff)))
        return 0;
    return n;
}

/* C0, DEL and C1; overrides and isolates of the direction of writing, which make a name look like
 * another. */
static bool commands(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* One character of s as it is shown; returns how many bytes of s it takes. */
static size_t show_char(enum rp_text_form form, const unsigned char *s, char shown[8])
{
    unsigned code;
    const size_t n = utf8_char(s, &code);

    if (!n && form == RP_TEXT_UTF8)
        memcpy(shown, "\xef\xbf\xbd", 4);
    else if (!n || (form == RP_TEXT_TERMINAL && code < 0x20))
        snprintf(shown, 8, "\\x%02x", s[0]);
    else if (form == RP_TEXT_TERMINAL && commands(code))
        snprintf(shown, 8, "\\u%04x", code & 0xffff);
    else {
        memcpy(shown, s, n);
        shown[n] = '\0';
    }
    return n ? n : 1;
}

size_t rp_text_clean(enum rp_text_form form, const char *text, char *out, size_t size)
{
    const unsigned char *s = (const unsigned char *) text;
    size_t all = 0, used = 0;
    char shown[8];

    while (*s) {
        s += show_char(form, s, shown);
        const size_t n = strlen(shown);
        if (used == all && all + n < size) { /* whole characters only */
            memcpy(out + used, shown, n);
            used += n;
        }
        all += n;
    }
    if (size)
        out[used] = '\0';
    return all;
}

char *rp_utf8(const char *text)
{
    const size_t size = rp_text_clean(RP_TEXT_UTF8, text, NULL, 0) + 1;
    char *const clean = malloc(size);

    if (clean)
        rp_text_clean(RP_TEXT_UTF8, text, clean, size);
    return clean;
}
