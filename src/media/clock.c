#include "media/clock.h"

#define BACK INT64_C(100000)        /* microseconds that a stream's times may go back */
#define AHEAD INT64_C(10000000)     /* that a gap may last: as the ffmpeg program has it */
#define OVERLAP INT64_C(100000)     /* of sound that is lost rather than that the picture pauses */
#define APART INT64_C(2000000)      /* that streams of one file may end or begin apart */
#define LIVELY INT64_C(5000000)     /* a stream has ended when the others are that far ahead */
#define TIME_MAX (INT64_MAX / 1024) /* later times are no times; also keeps sums in range */
#define OFFSET_MAX (INT64_MAX / 8)
#define CALM 64           /* packets without a jump that show that a stream has none */
#define LOOK_PACKETS 4096 /* both limit what is held in memory while looking ahead */
#define LOOK_BYTES (64 << 20)

struct line {
    bool counts; /* one of the streams by which jumps are found */
    bool seen;
    int64_t offset; /* added to its times, microseconds */
    int64_t next;   /* when its next packet is due, with the offset */
    int turn;       /* the jump of the clock that it has followed */
};

struct rp_clock {
    AVFormatContext *ic;
    bool jumps;
    struct line *lines;
    unsigned count;
    int video;
    int turn;       /* number of jumps */
    int64_t offset; /* after the last of them */
    int64_t now;    /* end of the latest packet that was handed out */

    AVPacket **queue; /* read while looking ahead: from `head` to `tail` */
    size_t head, tail, room, bytes;
    int status; /* of the read that ended the look ahead; 0: none did */
};

/* ---- files ----------------------------------------------------------------------------------- */

bool rp_clock_jumps(const AVFormatContext *ic)
{
    return ic->iformat->flags & AVFMT_TS_DISCONT;
}

bool rp_clock_jumped(const struct rp_clock *c)
{
    return c->turn > 0;
}

bool rp_clock_shared(const AVFormatContext *ic, int video, int stream)
{
    AVFormatContext *const any = (AVFormatContext *) ic; /* the search changes nothing */
    const AVProgram *p = NULL;

    if (video < 0 || !av_find_program_from_stream(any, NULL, video) ||
        !av_find_program_from_stream(any, NULL, stream))
        return true;
    while ((p = av_find_program_from_stream(any, (AVProgram *) p, video)))
        for (unsigned i = 0; i < p->nb_stream_indexes; i++)
            if (p->stream_index[i] == (unsigned) stream)
                return true;
    return false;
}

int64_t rp_clock_start(const AVFormatContext *ic, int video, int64_t first)
{
    int64_t start = first;

    for (unsigned i = 0; i < ic->nb_streams; i++) {
        const AVStream *const st = ic->streams[i];
        if (st->codecpar->codec_type != AVMEDIA_TYPE_AUDIO || st->start_time == AV_NOPTS_VALUE ||
            !rp_clock_shared(ic, video, (int) i))
            continue;
        const int64_t at = av_rescale_q(st->start_time, st->time_base, AV_TIME_BASE_Q);
        start = RP_MIN(start, rp_clock_jumps(ic) ? at : RP_MAX(at, 0));
    }
    return start;
}

int rp_clock_open(struct rp_clock **out, AVFormatContext *ic)
{
    struct rp_clock *const c = *out = calloc(1, sizeof(*c));

    if (!c)
        return RP_NOMEM(ic->url);
    c->ic = ic;
    c->jumps = rp_clock_jumps(ic);
    if (!c->jumps)
        return 0;
    c->count = ic->nb_streams;
    c->video = rp_av_video_stream(ic);
    c->now = INT64_MIN;
    if (!(c->lines = calloc(RP_MAX(c->count, 1u), sizeof(*c->lines)))) {
        rp_clock_close(out);
        return RP_NOMEM(ic->url);
    }
    for (unsigned i = 0; i < c->count; i++) {
        AVStream *const st = ic->streams[i];
        c->lines[i].counts =
            (int) i == c->video || (st->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
                                    rp_clock_shared(ic, c->video, (int) i));
        if (c->lines[i].counts)
            st->discard = AVDISCARD_DEFAULT;
    }
    return 0;
}

void rp_clock_close(struct rp_clock **clock)
{
    struct rp_clock *const c = *clock;

    if (!c)
        return;
    for (size_t i = c->head; i < c->tail; i++)
        av_packet_free(&c->queue[i]);
    free(c->queue);
    free(c->lines);
    free(c);
    *clock = NULL;
}

/* ---- times ----------------------------------------------------------------------------------- */

/* NULL for a stream that came up later. */
static struct line *line_of(const struct rp_clock *c, const AVPacket *p)
{
    return (unsigned) p->stream_index < c->count ? &c->lines[p->stream_index] : NULL;
}

static AVRational base_of(const struct rp_clock *c, const AVPacket *p)
{
    return c->ic->streams[p->stream_index]->time_base;
}

/* Microseconds on the file's clock; AV_NOPTS_VALUE if it says nothing. */
static int64_t time_of(const struct rp_clock *c, const AVPacket *p)
{
    const int64_t ts = p->dts == AV_NOPTS_VALUE ? p->pts : p->dts;

    if (ts == AV_NOPTS_VALUE)
        return ts;
    const int64_t time = av_rescale_q(ts, base_of(c, p), AV_TIME_BASE_Q);
    return time > -TIME_MAX && time < TIME_MAX ? time : AV_NOPTS_VALUE;
}

static int64_t length_of(const struct rp_clock *c, const AVPacket *p)
{
    const int64_t length = av_rescale_q(p->duration, base_of(c, p), AV_TIME_BASE_Q);

    return av_clip64(length, 0, AHEAD);
}

static int64_t within(int64_t offset)
{
    return av_clip64(offset, -OFFSET_MAX, OFFSET_MAX);
}

static void shift(const struct rp_clock *c, AVPacket *p, int64_t offset)
{
    const int64_t by = av_rescale_q(offset, AV_TIME_BASE_Q, base_of(c, p));

    p->pts = p->pts == AV_NOPTS_VALUE ? p->pts : av_sat_add64(p->pts, by);
    p->dts = p->dts == AV_NOPTS_VALUE ? p->dts : av_sat_add64(p->dts, by);
}

/* Could a packet of this time come when one at `due` is expected? */
static bool fits(int64_t time, int64_t due, int64_t back)
{
    const int64_t off = av_sat_sub64(time, due);

    return off >= -back && off <= AHEAD;
}

static bool fits_line(const struct line *l, int64_t time)
{
    return !l->seen || fits(av_sat_add64(time, l->offset), l->next, BACK);
}

/* ---- looking ahead --------------------------------------------------------------------------- */

static int push(struct rp_clock *c, AVPacket **p)
{
    if (c->head == c->tail)
        c->head = c->tail = 0;
    if (c->tail == c->room) {
        const size_t room = RP_MAX(2 * c->room, (size_t) 64);
        AVPacket **const queue = realloc(c->queue, room * sizeof(AVPacket *));
        if (!queue)
            return AVERROR(ENOMEM);
        c->queue = queue;
        c->room = room;
    }
    c->bytes += (size_t) (*p)->size;
    c->queue[c->tail++] = *p;
    *p = NULL;
    return 0;
}

/* The packet at `at` of the queue, which grows; NULL at the end of the file or of the patience. */
static const AVPacket *peek(struct rp_clock *c, size_t at)
{
    AVPacket *p;

    if (at < c->tail)
        return c->queue[at];
    if (c->status < 0 || c->tail - c->head >= LOOK_PACKETS || c->bytes >= LOOK_BYTES ||
        !(p = av_packet_alloc()))
        return NULL;
    if ((c->status = av_read_frame(c->ic, p)) >= 0 && (c->status = push(c, &p)) >= 0)
        return c->queue[c->tail - 1];
    av_packet_free(&p);
    return NULL;
}

/* What the packets after a jump say of one stream. */
struct view {
    bool jumped;
    int calm;     /* packets on the old clock */
    int64_t next; /* due then, on the old clock */
    int64_t need; /* offset with which it would go on without a gap */
};

/* Looks at a packet of a stream that has not jumped yet. */
static void look_at(const struct rp_clock *c, struct view *v, const AVPacket *p)
{
    const struct line *const l = &c->lines[p->stream_index];
    const int64_t time = time_of(c, p);

    if (!l->counts || !l->seen || time == AV_NOPTS_VALUE || v->jumped)
        return;
    if (fits(av_sat_add64(time, l->offset), v->next, BACK)) {
        v->calm++;
        v->next = time + l->offset + length_of(c, p);
        return;
    }
    v->jumped = true;
    v->need = av_sat_sub64(v->next, time);
}

/* Has every stream that is still there shown what it does? */
static bool is_clear(const struct rp_clock *c, const struct view *views)
{
    for (unsigned i = 0; i < c->count; i++) {
        const struct line *const l = &c->lines[i];
        if (l->counts && l->seen && l->next > c->now - LIVELY && !views[i].jumped &&
            views[i].calm < CALM)
            return false;
    }
    return true;
}

/* Does the stream's next packet follow its first on the new clock, or was that one packet wrong? */
static bool is_slip(const struct rp_clock *c, const AVPacket *first, const struct line *l)
{
    const int64_t due = time_of(c, first) + length_of(c, first);

    for (size_t i = c->head + 1; i < c->tail; i++) {
        const AVPacket *const p = c->queue[i];
        const int64_t time = time_of(c, p);
        if (p->stream_index == first->stream_index && time != AV_NOPTS_VALUE)
            return fits_line(l, time) && !fits(time, due, BACK);
    }
    return false;
}

/* The offset with which all streams that jump go on after their last packets; but the picture does
 * not wait for a little sound. */
static int64_t common_offset(const struct rp_clock *c, const struct view *views, int64_t need)
{
    int64_t offset = need;

    for (unsigned i = 0; i < c->count; i++)
        if (views[i].jumped && FFABS(views[i].need - need) <= APART)
            offset = RP_MAX(offset, views[i].need);
    if (c->video >= 0 && views[c->video].jumped && offset - views[c->video].need >= 0 &&
        offset - views[c->video].need <= OVERLAP)
        offset = views[c->video].need;
    return offset;
}

/* The stream of the first packet in the queue has jumped: where to? Sets the offset that it is to
 * have from now on. */
static void decide(struct rp_clock *c, const struct view *views, const AVPacket *first,
                   struct line *l)
{
    const int64_t need = views[first->stream_index].need;
    bool others = false, calm = false;

    for (unsigned i = 0; i < c->count; i++) {
        if (&c->lines[i] == l || !c->lines[i].counts)
            continue;
        others |= views[i].jumped && FFABS(views[i].need - need) <= APART;
        calm |= !views[i].jumped && views[i].calm >= CALM;
    }
    if (!others && calm) { /* it alone: a pause, or its times are broken */
        if (need < l->offset)
            l->next = within(time_of(c, first) + l->offset);
        else
            l->offset = within(need);
        return;
    }
    c->offset = within(common_offset(c, views, need));
    rp_log(RP_LOG_DEBUG, "%s: the clock jumps by %.3f s", c->ic->url,
           (double) (l->offset - c->offset) / AV_TIME_BASE);
    c->turn++;
}

/* The first packet in the queue, of this line, does not come when it is due. */
static int explain_jump(struct rp_clock *c, struct line *l)
{
    AVPacket *const first = c->queue[c->head];
    struct view *const views = calloc(c->count, sizeof(*views));
    const AVPacket *p;

    if (!views)
        return AVERROR(ENOMEM);
    for (unsigned i = 0; i < c->count; i++)
        views[i].next = c->lines[i].next;
    for (size_t i = c->head; (p = peek(c, i)) && !is_clear(c, views); i++)
        if (line_of(c, p))
            look_at(c, &views[p->stream_index], p);
    if (c->status != AVERROR(ENOMEM) && is_slip(c, first, l))
        shift(c, first, l->next - l->offset - time_of(c, first));
    else if (c->status != AVERROR(ENOMEM))
        decide(c, views, first, l);
    free(views);
    return c->status == AVERROR(ENOMEM) ? c->status : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Streams by which no jump is found: with the offset that brings them near the others. */
static void follow(const struct rp_clock *c, AVPacket *p, int64_t time)
{
    const int64_t old = c->lines && c->video >= 0 ? c->lines[c->video].offset : c->offset;
    const bool is_new =
        c->now != INT64_MIN && FFABS(time + c->offset - c->now) < FFABS(time + old - c->now);

    shift(c, p, is_new ? c->offset : old);
}

/* Puts the time right of the first packet in the queue. */
static int put_right(struct rp_clock *c)
{
    AVPacket *const p = c->queue[c->head];
    struct line *const l = line_of(c, p);
    int64_t time = time_of(c, p);

    if (time == AV_NOPTS_VALUE)
        return 0;
    if (!l || !l->counts) {
        follow(c, p, time);
        return 0;
    }
    for (int tries = 0; !fits_line(l, time) && tries < 2; tries++) {
        if (l->turn != c->turn && fits(time + c->offset, l->next, APART)) {
            l->offset = c->offset;
            l->turn = c->turn;
            break;
        }
        RP_CHECK(explain_jump(c, l));
        time = time_of(c, p);
    }
    if (!l->seen) {
        l->offset = c->offset;
        l->turn = c->turn;
    }
    shift(c, p, l->offset);
    l->seen = true;
    l->next = within(time + l->offset + length_of(c, p));
    c->now = RP_MAX(c->now, l->next);
    return 0;
}

int rp_clock_read(struct rp_clock *c, AVPacket *packet)
{
    int ret;

    if (!c->jumps)
        return av_read_frame(c->ic, packet);
    if (c->head == c->tail) {
        if (c->status < 0) {
            ret = c->status;
            c->status = 0;
            return ret;
        }
        AVPacket *p = av_packet_alloc();
        if (!p)
            return AVERROR(ENOMEM);
        if ((ret = av_read_frame(c->ic, p)) < 0 || (ret = push(c, &p)) < 0) {
            av_packet_free(&p);
            return ret;
        }
    }
    RP_CHECK(put_right(c));
    AVPacket *p = c->queue[c->head++];
    c->bytes -= (size_t) p->size;
    av_packet_move_ref(packet, p);
    av_packet_free(&p);
    return 0;
}
