/* The text of the synthetic-media mark: an XMP packet. Nothing here needs FFmpeg. */
#include "media/mark.h"

#include <pthread.h>

#define SOURCE_TYPE \
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

/* The fields in XMP. */
static const char *const names[RP_MARK_FIELDS] = {
    "Iptc4xmpExt:DigitalSourceType",
    "xmp:CreatorTool",
    "reprise:Processors",
    "reprise:Models",
    "reprise:Damage",
};

void rp_mark_fields(struct rp_mark *mark, struct rp_mark_field fields[RP_MARK_FIELDS])
{
    fields[0] = (struct rp_mark_field){mark->source_type, sizeof(mark->source_type)};
    fields[1] = (struct rp_mark_field){mark->software, sizeof(mark->software)};
    fields[2] = (struct rp_mark_field){mark->processors, sizeof(mark->processors)};
    fields[3] = (struct rp_mark_field){mark->models, sizeof(mark->models)};
    fields[4] = (struct rp_mark_field){mark->damage, sizeof(mark->damage)};
}

struct rp_mark rp_mark_complete(const struct rp_mark *mark)
{
    struct rp_mark m = *mark;

    if (!m.source_type[0])
        snprintf(m.source_type, sizeof(m.source_type), "%s", SOURCE_TYPE);
    if (!m.software[0])
        snprintf(m.software, sizeof(m.software), "reprise %s", rp_version());
    return m;
}

void rp_mark_add_damage(struct rp_mark *mark, const char *damage)
{
    const size_t n = strlen(mark->damage);

    if (damage[0])
        snprintf(mark->damage + n, sizeof(mark->damage) - n, "%s%s", n ? ", " : "", damage);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* clang-format off */
static const struct { char c; const char *text; } escapes[] = {
    {'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"},
};
/* clang-format on */

static const char *escape_of(char c)
{
    for (size_t i = 0; i < RP_ARRAY_LEN(escapes); i++)
        if (escapes[i].c == c)
            return escapes[i].text;
    return NULL;
}

/* Writes at most six bytes for each. */
static void escape(char *to, const char *from)
{
    for (; *from; from++) {
        const char *const e = escape_of(*from);
        if (e)
            to = stpcpy(to, e);
        else
            *to++ = (unsigned char) *from < ' ' ? ' ' : *from;
    }
    *to = 0;
}

char *rp_mark_xmp(const struct rp_mark *mark)
{
    struct rp_mark m = rp_mark_complete(mark);
    struct rp_mark_field fields[RP_MARK_FIELDS];
    char text[RP_MARK_FIELDS][6 * sizeof(m.models)];

    rp_mark_fields(&m, fields);
    for (int i = 0; i < RP_MARK_FIELDS; i++)
        escape(text[i], fields[i].text);
    const bool damaged = m.damage[0];
    return rp_asprintf("<?xpacket begin=\"\xef\xbb\xbf\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
                       "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"reprise %s\">\n"
                       " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n"
                       "  <rdf:Description rdf:about=\"\"\n"
                       "    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"\n"
                       "    xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"\n"
                       "    xmlns:reprise=\"urn:reprise:mark:1\"\n"
                       "    %s=\"%s\"\n    %s=\"%s\"\n    %s=\"%s\"\n    %s=\"%s\"%s%s%s%s%s/>\n"
                       " </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"w\"?>",
                       rp_version(), names[0], text[0], names[1], text[1], names[2], text[2],
                       names[3], text[3], damaged ? "\n    " : "", damaged ? names[4] : "",
                       damaged ? "=\"" : "", damaged ? text[4] : "", damaged ? "\"" : "");
}

/* ---- reading --------------------------------------------------------------------------------- */

static void unescape(char *to, size_t room, const uint8_t *from, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size && n + 1 < room;) {
        size_t skip = 1;
        to[n] = (char) from[i];
        for (size_t k = 0; from[i] == '&' && k < RP_ARRAY_LEN(escapes); k++) {
            const size_t len = strlen(escapes[k].text);
            if (size - i >= len && !memcmp(from + i, escapes[k].text, len)) {
                to[n] = escapes[k].c;
                skip = len;
                break;
            }
        }
        if (from[i] == 0)
            break;
        i += skip;
        n++;
    }
    to[n] = 0;
}

/* The value of name="value" or <name>value</name>; others write the second form. False if the name
 * stands there in another way, such as in a value. What has no end is empty, and the last: looking
 * for the end of each would take the square of the time. */
static bool take_value(struct rp_mark_field field, const uint8_t *p, const uint8_t *end)
{
    if (end - p < 2)
        return false;
    const bool attribute = p[0] == '=' && (p[1] == '"' || p[1] == '\'');
    if (!attribute && *p != '>')
        return false;
    const uint8_t *const value = p + (attribute ? 2 : 1);
    const uint8_t *const last = memchr(value, attribute ? p[1] : '<', (size_t) (end - value));
    if (last)
        unescape(field.text, field.size, value, (size_t) (last - value));
    return true;
}

static void find_value(struct rp_mark_field field, const uint8_t *xmp, size_t size,
                       const char *name)
{
    const size_t len = strlen(name);
    const uint8_t *const end = xmp + size, *p = xmp;

    while ((p = memmem(p, (size_t) (end - p), name, len)) && !take_value(field, p += len, end))
        ;
}

bool rp_mark_parse(struct rp_mark *mark, const uint8_t *xmp, size_t size)
{
    struct rp_mark_field fields[RP_MARK_FIELDS];

    memset(mark, 0, sizeof(*mark));
    rp_mark_fields(mark, fields);
    for (int i = 0; i < RP_MARK_FIELDS; i++)
        find_value(fields[i], xmp, size, names[i]);
    if (!mark->source_type[0]) /* the software alone is no mark */
        memset(mark, 0, sizeof(*mark));
    return mark->present = mark->source_type[0] != 0;
}

/* ---- keeping ---------------------------------------------------------------------------------
 *
 * An application copies pictures as it likes, and may have got their pixels from anywhere, so a
 * picture cannot own its mark. Each is kept for the life of the process, once; there are few, one
 * for each set of processors and models. */

struct kept {
    const struct kept *next;
    char *xmp;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct kept *all;

/* Is this word one of the list, whose words have a blank between them? */
static bool has_word(const char *list, const char *word, size_t n)
{
    for (const char *at = list; (at = strstr(at, word)) != NULL; at++)
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

/* The words of `more` that the list has not yet. A word that does not fit is left out. */
static void add_words(char *list, size_t size, const char *more)
{
    char word[512];

    for (size_t n; *more; more += n) {
        more += strspn(more, " ");
        n = strcspn(more, " ");
        if (!n || n >= sizeof(word))
            continue;
        memcpy(word, more, n);
        word[n] = '\0';
        const size_t used = strlen(list);
        if (!has_word(list, word, n) && used + n + 2 <= size)
            snprintf(list + used, size - used, "%s%s", used ? " " : "", word);
    }
}

/* The kept text that equals this one, which is freed or becomes the kept one. NULL: out of memory.
 */
static const char *keep(char *xmp)
{
    pthread_mutex_lock(&lock);
    const struct kept *k = all;
    while (k && strcmp(k->xmp, xmp) != 0)
        k = k->next;
    if (k) {
        free(xmp);
    } else {
        struct kept *const made = malloc(sizeof(*made));

        if (made) {
            *made = (struct kept){all, xmp};
            all = made;
        } else {
            free(xmp);
        }
        k = made;
    }
    pthread_mutex_unlock(&lock);
    return k ? k->xmp : NULL;
}

const char *rp_mark_keep(const struct rp_mark *mark, const char *before)
{
    struct rp_mark m, earlier;

    if (before && rp_mark_parse(&earlier, (const uint8_t *) before, strlen(before))) {
        m = earlier;
        memcpy(m.software, mark->software, sizeof(m.software));
        add_words(m.processors, sizeof(m.processors), mark->processors);
        add_words(m.models, sizeof(m.models), mark->models);
    } else {
        m = *mark;
    }
    char *const xmp = rp_mark_xmp(&m);

    return xmp ? keep(xmp) : NULL;
}
