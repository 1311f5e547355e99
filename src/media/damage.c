#include "media/damage.h"

#define EARLY_MAX 300 /* pieces before the first good one, which a recording may lack */
#define TAIL_MAX 3    /* errors at the end of what may end anywhere */
#define TAIL_GOOD 20  /* good pieces after one that is not at the end */

void rp_damage_begin(struct rp_damage *d, const struct rp_whole *whole, const char *unit,
                     const char *fmt, ...)
{
    va_list args;

    const bool strict = whole && whole->promises;

    *d = (struct rp_damage){.unit = unit, .strict = strict, .loose = !strict};
    va_start(args, fmt);
    vsnprintf(d->what, sizeof(d->what), fmt, args);
    va_end(args);
}

/* Errors become damage. */
static void count(struct rp_damage *d, int n)
{
    if (n > 0 && !rp_damage_any(d)) {
        d->at = d->pending_at;
        snprintf(d->why, sizeof(d->why), "%s", d->pending_why);
    }
    d->bad += n;
}

void rp_damage_good(struct rp_damage *d)
{
    d->good++;
    d->begun = true;
    if (d->pending && (d->strict || ++d->since >= TAIL_GOOD || d->pending > TAIL_MAX)) {
        count(d, d->pending);
        d->pending = 0;
    }
}

void rp_damage_bad(struct rp_damage *d, double at, const char *why, bool doubtful)
{
    d->good += doubtful;
    if (!d->pending) {
        d->since = 0;
        d->pending_at = at;
        snprintf(d->pending_why, sizeof(d->pending_why), "%s", why);
    }
    if (!d->begun && (d->loose || doubtful) && d->early < EARLY_MAX)
        d->early++;
    else
        d->pending++;
}

void rp_damage_end(struct rp_damage *d, bool cut)
{
    if (d->strict || cut || d->pending > TAIL_MAX)
        count(d, d->pending);
    else
        d->tail = d->pending;
    d->pending = 0;
    d->cut |= cut;
}

bool rp_damage_any(const struct rp_damage *d)
{
    return d->cut || d->bad || d->missing;
}

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *fmt, ...)
{
    const size_t n = strlen(text);
    va_list args;

    va_start(args, fmt);
    vsnprintf(text + n, size - n, fmt, args);
    va_end(args);
}

/* Some containers keep it in a list with ';' between its words. */
static void clean(char *text)
{
    for (char *p = text; *p; p++)
        if (*p == ';' || (unsigned char) *p < ' ')
            *p = ',';
}

char *rp_damage_text(const struct rp_damage *d, char *text, size_t size)
{
    text[0] = 0;
    add(text, size, "%s: %lld", d->what, (long long) d->good);
    if (d->promised > 0)
        add(text, size, " of %s%lld", d->exact ? "" : "about ", (long long) d->promised);
    add(text, size, " %s%s", d->unit, d->cut ? ", cut short" : "");
    if (d->missing)
        add(text, size, ", %lld missing", (long long) d->missing);
    if (d->bad)
        add(text, size, ", %lld damaged, the first near %.2f s (%s)", (long long) d->bad, d->at,
            d->why);
    clean(text);
    return text;
}

int rp_damage_fail(const struct rp_damage *d, const char *path)
{
    char text[320];

    return rp_fail(RP_ERR_FORMAT,
                   "%s is damaged, %s; give a whole file, or --damaged-input accept to use what "
                   "there is of it",
                   path, rp_damage_text(d, text, sizeof(text)));
}

const char *rp_damage_of_frame(const AVFrame *f)
{
    if (f->decode_error_flags)
        return "the decoder had to guess parts of it";
    return f->flags & AV_FRAME_FLAG_CORRUPT ? "the decoder marks it as damaged" : NULL;
}

/* How the picture is taken that this thread reads. */
static _Thread_local struct {
    bool accept;
    char why[200];
} reading;

void rp_image_take_damaged(bool accept, char *note, size_t size)
{
    if (note)
        snprintf(note, size, "%s", reading.why);
    reading.accept = accept;
    reading.why[0] = 0;
}

int rp_image_damaged(const char *name, const char *why)
{
    if (!reading.accept)
        return rp_fail(RP_ERR_FORMAT,
                       "%s is damaged, picture: %s; give a whole file, or --damaged-input accept to "
                       "use what there is of it",
                       name, why);
    snprintf(reading.why, sizeof(reading.why), "picture: %s", why);
    clean(reading.why);
    rp_log(RP_LOG_WARN, "%s is damaged, %s; what there is of it is used", name, reading.why);
    return 0;
}
