/* The synthetic-media mark in files: container tags, GIF, and reading it back. */
#include "media/av.h"

#include <errno.h>

#include "base/api.h"
#include "base/path.h"
#include "media/meta.h"

/* Keys of container tags. If a container has only a few fixed tags, all of it goes into the comment
 * as "key=value; key=value". */
static const char *const keys[RP_MARK_FIELDS] = {
    "synthetic_media",
    "software",
    "reprise_processors",
    "reprise_models",
    "reprise_damage",
};

/* ---- container tags -------------------------------------------------------------------------- */

/* Appends the mark to the comment, in the order of keys[]. */
static int set_comment(AVDictionary **dict, const struct rp_mark_field fields[RP_MARK_FIELDS])
{
    const AVDictionaryEntry *const old = av_dict_get(*dict, "comment", NULL, 0);
    const bool damaged = fields[4].text[0];
    char *const text = rp_asprintf(
        "%s%s%s=%s; %s=%s; %s=%s; %s=%s%s%s%s%s", old ? old->value : "", old ? "\n" : "", keys[0],
        fields[0].text, keys[1], fields[1].text, keys[2], fields[2].text, keys[3], fields[3].text,
        damaged ? "; " : "", damaged ? keys[4] : "", damaged ? "=" : "", fields[4].text);
    const int ret = text ? av_dict_set(dict, "comment", text, 0) : AVERROR(ENOMEM);

    free(text);
    return ret;
}

int rp_mark_to_dict(const struct rp_mark *mark, AVDictionary **dict, bool any_key)
{
    struct rp_mark m = rp_mark_complete(mark);
    struct rp_mark_field fields[RP_MARK_FIELDS];
    int ret = 0;

    rp_mark_fields(&m, fields);
    for (int i = 0; any_key && i < RP_MARK_FIELDS && ret >= 0; i++)
        ret = fields[i].text[0] ? av_dict_set(dict, keys[i], fields[i].text, 0) : 0;
    if (ret >= 0 && (!any_key || !av_dict_get(*dict, "comment", NULL, 0)))
        ret = set_comment(dict, fields);
    return ret < 0 ? rp_fail(RP_ERR_NOMEM, "no memory for the metadata") : 0;
}

/* One "key=value" of a comment: the last, as a new mark is appended to an old one. */
static void find_in_comment(struct rp_mark_field field, const char *comment, const char *key)
{
    const size_t n = strlen(key);
    const char *p = NULL;

    for (const char *at = comment; (at = strstr(at, key)); at += n)
        if (at[n] == '=')
            p = at;
    if (!p)
        return;
    p += n + 1;
    snprintf(field.text, field.size, "%.*s", (int) RP_MIN(strcspn(p, ";\n"), field.size), p);
}

static void mark_from_dict(struct rp_mark *mark, const AVDictionary *dict)
{
    const AVDictionaryEntry *const comment = av_dict_get(dict, "comment", NULL, 0);
    /* Without the first key the others are not ours: AVI has the muxer as "software". */
    const bool own = av_dict_get(dict, keys[0], NULL, 0);
    struct rp_mark_field fields[RP_MARK_FIELDS];

    rp_mark_fields(mark, fields);
    for (int i = 0; i < RP_MARK_FIELDS; i++) {
        const AVDictionaryEntry *const e = own ? av_dict_get(dict, keys[i], NULL, 0) : NULL;
        if (e)
            snprintf(fields[i].text, fields[i].size, "%s", e->value);
        else if (comment)
            find_in_comment(fields[i], comment->value, keys[i]);
    }
    if (!mark->source_type[0])
        memset(mark, 0, sizeof(*mark));
    mark->present = mark->source_type[0] != 0;
    for (size_t n = strlen(mark->damage); n > 0 && mark->damage[n - 1] == ' ';)
        mark->damage[--n] = 0;
}

#define HELD 200 /* bytes of the text that keeps the place */

static const char held[] = "reprise: nothing is known yet of the input";

void rp_mark_hold(struct rp_mark *mark)
{
    memset(mark->damage, '.', HELD);
    memcpy(mark->damage, held, sizeof(held) - 1);
    mark->damage[HELD] = 0;
}

/* `wide`: each character has two bytes, as in ASF. */
static bool is_held(const uint8_t *p, int wide)
{
    for (size_t i = 0; i < HELD; i++)
        if (p[i << wide] != (uint8_t) (i < sizeof(held) - 1 ? held[i] : '.') ||
            (wide && p[(i << wide) + 1]))
            return false;
    return true;
}

static bool put_text(FILE *f, long at, const char *text, int wide)
{
    uint8_t out[2 * HELD] = {0};
    const size_t n = strlen(text);

    for (size_t i = 0; i < HELD; i++)
        out[i << wide] = i < n ? (uint8_t) text[i] : ' ';
    return fseek(f, at, SEEK_SET) == 0 && fwrite(out, (size_t) HELD << wide, 1, f) == 1;
}

/* In pieces that overlap, so that none is overlooked at their ends. */
static bool fill_all(FILE *f, uint8_t *piece, size_t room, const char *text)
{
    long at = 0;
    bool ok = true;

    for (;;) {
        const size_t n = fseek(f, at, SEEK_SET) == 0 ? fread(piece, 1, room, f) : 0;
        const size_t step = n > 2 * HELD ? n - 2 * HELD + 1 : n;
        for (const uint8_t *p = piece, *q; ok && (q = memchr(p, held[0], (size_t) (piece + n - p)));
             p = q + 1)
            for (int wide = 0; wide < 2; wide++)
                if ((size_t) (piece + n - q) >= (size_t) HELD << wide && is_held(q, wide))
                    ok = put_text(f, at + (q - piece), text, wide);
        if (!ok || n < room)
            return ok && !ferror(f);
        at += (long) step;
    }
}

int rp_mark_fill(const char *path, const char *text)
{
    const size_t room = 1 << 20;
    uint8_t *const piece = malloc(room);
    FILE *const f = fopen(path, "r+be");
    bool ok = f && piece && fill_all(f, piece, room, text);

    free(piece);
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? 0 : rp_fail(rp_io_status(errno), "%s: writing: %m", path);
}

/* GIF: an application extension, as the XMP specification describes it: the packet, then a ramp of
 * bytes that leads a reader that mistakes the packet for sub-blocks to the terminator. */
static int append_gif(const char *xmp, FILE *f)
{
    uint8_t ramp[258];

    if (fseek(f, -1, SEEK_END) != 0 || fgetc(f) != 0x3b || fseek(f, -1, SEEK_END) != 0)
        return 0; /* not a file of ours: leave it */
    ramp[0] = 1;
    for (int i = 0; i < 256; i++)
        ramp[1 + i] = (uint8_t) (255 - i);
    ramp[257] = 0;
    const bool ok = fwrite("\x21\xff\x0bXMP DataXMP", 14, 1, f) == 1 &&
                    fwrite(xmp, strlen(xmp), 1, f) == 1 && fwrite(ramp, sizeof(ramp), 1, f) == 1 &&
                    fputc(0x3b, f) != EOF;
    return ok ? 0 : -1;
}

int rp_mark_append(const struct rp_mark *mark, const char *path, const AVOutputFormat *format)
{
    char *xmp;
    FILE *f;

    if (strcmp(format->name, "gif") != 0)
        return 0;
    if (!(xmp = rp_mark_xmp(mark)))
        return RP_NOMEM(path);
    f = fopen(path, "r+be");
    int ret = f ? append_gif(xmp, f) : -1;
    if (f && fclose(f) != 0)
        ret = -1;
    free(xmp);
    return ret < 0 ? rp_fail(rp_io_status(errno), "%s: writing: %m", path) : 0;
}

/* ---- reading it back ------------------------------------------------------------------------- */

/* In the packet where it should be, else in any other of the file: other software may put one of its
 * own in front. */
static void find_mark(rp_mark *out, const struct rp_image_codec *codec, const uint8_t *data,
                      size_t size)
{
    size_t length = 0;
    const uint8_t *xmp = codec->xmp(data, size, &length), *const end = data + size;

    if (xmp && rp_mark_parse(out, xmp, length))
        return;
    for (const uint8_t *p = data; (xmp = rp_xmp_scan(p, (size_t) (end - p), &length));
         p = xmp + length)
        if (rp_mark_parse(out, xmp, length))
            return;
}

static int inspect_picture(const char *path, const struct rp_image_codec *codec, rp_mark *out)
{
    uint8_t *data = NULL;
    size_t size = 0;
    int ret;

    RP_TRY(rp_file_read(path, RP_PICTURE_FILE_MAX, &data, &size));
    find_mark(out, codec, data, size);
fail:
    free(data);
    return ret;
}

static int inspect(const char *path, rp_mark *out)
{
    const struct rp_image_codec *codec;
    AVFormatContext *ic = NULL;
    uint8_t head[64];
    int ret;

    memset(out, 0, sizeof(*out));
    rp_av_begin();
    RP_TRY(rp_file_check(path));
    RP_TRY(rp_file_head(path, head, sizeof(head)));
    if ((codec = rp_image_codec_of(head, (size_t) ret)))
        return inspect_picture(path, codec, out);
    RP_TRY(rp_av_open(&ic, path, false));
    mark_from_dict(out, ic->metadata);
    for (unsigned i = 0; i < ic->nb_streams && !out->present; i++)
        mark_from_dict(out, ic->streams[i]->metadata);
    avformat_close_input(&ic);
    return 0;
fail:
    return ret;
}

int rp_inspect_sized(const char *path, rp_mark *out, size_t size)
{
    rp_mark own;

    memset(out, 0, size);
    RP_CHECK(rp_api_check_size("rp_mark", size, sizeof(own)));
    const int ret = inspect(path, &own);
    rp_api_give(out, size, &own, sizeof(own));
    return ret;
}
