#include "pipeline/job_pieces.h"

#include <unistd.h>

#include "base/path.h"
#include "media/media.h"

/* ---- what is there --------------------------------------------------------------------------- */

/* Looking through the journals of a folder. */
struct look {
    struct rp_job_pieces *p;
    const char *path; /* of the folder */
    int own, other;   /* journals of this job, and of others */
    char what[200];   /* is different with the last other one */
};

/* Which of the kinds of machines it is. */
static int add_machine(struct rp_job_pieces *p, const char *machine)
{
    char(*more)[RP_JOURNAL_MACHINE];

    for (int i = 0; i < p->nmachines; i++)
        if (!strcmp(p->machine[i], machine))
            return i;
    if (!(more = realloc(p->machine, (size_t) (p->nmachines + 1) * sizeof(*more))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->machine = more;
    snprintf(p->machine[p->nmachines], sizeof(*more), "%s", machine);
    return p->nmachines++;
}

static int take_pieces(struct rp_job_pieces *p, const struct rp_journal_head *head,
                       struct rp_journal_list *list)
{
    const int machine = add_machine(p, head->machine);

    RP_CHECK(machine);
    for (int i = 0; i < list->n; i++) {
        list->piece[i].machine = machine;
        RP_CHECK(rp_journal_put(&p->done, &list->piece[i]));
    }
    return 0;
}

static int look_at_journal(void *priv, const char *name, int64_t bytes)
{
    int ret;
    size_t size;
    bool valid;
    uint8_t *data = NULL;
    struct rp_journal_head head;
    struct look *const l = priv;
    struct rp_journal_list list = {0};
    char *const path = rp_path_join(l->path, name);

    (void) bytes;
    if (!path)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    rp_log_hold(true); /* of a journal that cannot be read nothing is done */
    ret = rp_file_read(path, RP_JOURNAL_MAX, &data, &size);
    rp_log_hold(false);
    free(path);
    if (ret < 0)
        return ret == RP_ERR_NOMEM ? ret : 0;
    ret = rp_journal_parse((const char *) data, size, &head, &valid, &list);
    free(data);
    if (ret >= 0 && valid && rp_journal_same(&head, &l->p->head, NULL, 0)) {
        l->own++;
        ret = take_pieces(l->p, &head, &list);
    } else if (ret >= 0 && valid) {
        l->other++;
        rp_journal_same(&head, &l->p->head, l->what, sizeof(l->what));
    }
    rp_journal_list_free(&list);
    return ret < 0 ? ret : 0;
}

/* Does its file have the bytes that the journal says? */
static bool is_there(const struct rp_job_pieces *p, const char *folder,
                     const struct rp_journal_piece *piece)
{
    char sum[RP_SHA256_HEX];
    char *const path = rp_job_folder_piece(folder, p->id, piece->number);
    bool same = false;

    rp_log_hold(true);
    if (path && rp_path_is_file(path) && rp_sha256_file(path, sum) >= 0)
        same = !strcmp(sum, piece->sha256);
    rp_log_hold(false);
    free(path);
    return same;
}

static int compare(const void *a, const void *b)
{
    const struct rp_journal_piece *const x = a, *const y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* Keep each piece once, in order, if it is there. Of several lines for one number any may be right:
 * the file decides. */
static void keep_valid(struct rp_job_pieces *p, const char *folder)
{
    int n = 0;
    struct rp_journal_list *const l = &p->done;

    if (l->n)
        qsort(l->piece, (size_t) l->n, sizeof(*l->piece), compare);
    for (int i = 0; i < l->n; i++) {
        if (n && l->piece[n - 1].number == l->piece[i].number)
            continue;
        if (l->piece[i].number == l->piece[i].first / p->head.piece &&
            is_there(p, folder, &l->piece[i]))
            l->piece[n++] = l->piece[i];
    }
    l->n = n;
}

const struct rp_journal_piece *rp_job_pieces_find(const struct rp_job_pieces *p, int64_t number)
{
    const struct rp_journal_piece key = {.number = number};

    return p->done.n ? bsearch(&key, p->done.piece, (size_t) p->done.n, sizeof(key), compare)
                     : NULL;
}

/* Of a join: whose pieces there are. Of a run: whose pieces it goes on with. */
static void say_machines(const struct rp_job_pieces *p, const char *output, bool join)
{
    int n = join ? 0 : 1;
    const char *kind[2] = {join ? NULL : p->machine[0]};

    for (int i = 0; i < p->done.n && n < 2; i++) {
        const char *const machine = p->machine[p->done.piece[i].machine];

        if (!n || machine != kind[0])
            kind[n++] = machine;
    }
    if (n == 2)
        rp_log(RP_LOG_WARN,
               "%s: its pieces are of different kinds of machines (%s; and %s); they fit together, "
               "but one machine alone might have given slightly other pixels",
               output, kind[0], kind[1]);
}

/* ---- opening --------------------------------------------------------------------------------- */

static int refuse_live(const char *output)
{
    return rp_fail(RP_ERR_AGAIN,
                   "%s: another run makes this output; wait for it, or give another "
                   "name",
                   output);
}

/* What is left of other jobs goes, unless they are alive. */
static int leave_others(struct rp_job_pieces *p, const struct look *l, const char *output)
{
    if (rp_job_folder_is_live(l->path, p->folder.live, true))
        return rp_fail(RP_ERR_AGAIN,
                       "%s: another run makes this output, with %s changed; wait for "
                       "it, or give another name",
                       output, l->what);
    rp_log(RP_LOG_WARN,
           "%s: there are pieces of an earlier run, but %s changed since then: it "
           "starts anew",
           output, l->what);
    rp_job_folder_remove(l->path, p->id);
    return 0;
}

static void say_start(const struct rp_job_pieces *p, const char *output, int64_t pieces)
{
    int mine = 0;

    for (int i = 0; i < p->done.n; i++)
        mine += p->done.piece[i].number >= p->from && p->done.piece[i].number < p->to;
    if (p->segment.count)
        rp_log(RP_LOG_INFO, "%s: segment %d of %d, pieces %lld to %lld of %lld, %d of them done",
               output, p->segment.number + 1, p->segment.count, (long long) p->from + 1,
               (long long) RP_MIN(p->to, pieces), (long long) pieces, mine);
    else if (mine)
        rp_log(RP_LOG_INFO, "%s: going on with what an earlier run has done, %d of %lld pieces",
               output, mine, (long long) pieces);
}

/* Pieces count from the target's first frame, so the first of a trimmed job is not number 0. */
static void take_share(struct rp_job_pieces *p, int64_t pieces)
{
    const int64_t first = p->head.first / p->head.piece;

    rp_segment_share(&p->segment, pieces, &p->from, &p->to);
    if (!p->segment.count || p->segment.number == p->segment.count - 1)
        p->to = INT64_MAX;
    else
        p->to += first;
    p->from += first;
}

/* Is it what is wanted? */
static int check_found(const struct rp_job_pieces *p, const struct look *l, const char *output,
                       enum rp_resume resume)
{
    if (resume == RP_RESUME_OR_FAIL && !p->done.n && l->other)
        return rp_fail(RP_ERR_USAGE, "--resume: %s changed since the run that made %s", l->what,
                       output);
    if (resume == RP_RESUME_OR_FAIL && !p->done.n)
        return rp_fail(RP_ERR_USAGE, "--resume: there is nothing of an earlier run of %s", output);
    if (resume == RP_RESUME_JOIN && l->other)
        return rp_fail(RP_ERR_USAGE,
                       "%s: there are segments of different jobs: %s changed; "
                       "remove them with 'reprise clean' and make them anew",
                       output, l->what);
    return 0;
}

int rp_job_pieces_open(struct rp_job_pieces *p, const char *output,
                       const struct rp_journal_head *head, const struct rp_segment *segment,
                       int64_t pieces, enum rp_resume resume)
{
    int ret;
    char *path = rp_job_folder_path(output), *journal = NULL;
    struct look l = {.p = p, .path = path};

    *p = (struct rp_job_pieces){.head = *head,
                                .segment = *segment,
                                .folder = {.lock = -1},
                                .journal = {.fd = -1, .folder = -1}};
    if (!path) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(rp_journal_id(head, p->id));
    RP_TRY(add_machine(p, head->machine));
    take_share(p, pieces);
    RP_TRY(rp_job_folder_open(&p->folder, path));
    if (!segment->count && resume != RP_RESUME_JOIN &&
        rp_job_folder_is_live(path, p->folder.live, true)) {
        ret = refuse_live(output);
        goto fail;
    }
    RP_TRY(rp_job_folder_each(path, RP_JOURNAL_EXT, look_at_journal, &l));
    keep_valid(p, path);
    if (!segment->count)
        say_machines(p, output, resume == RP_RESUME_JOIN);
    RP_TRY(check_found(p, &l, output, resume));
    if (resume == RP_RESUME_JOIN)
        goto fail; /* with 0 */
    if (l.other)
        RP_TRY(leave_others(p, &l, output));
    journal = rp_job_folder_journal(path, p->id);
    if (!journal) {
        ret = rp_fail(RP_ERR_NOMEM, "out of memory");
        goto fail;
    }
    RP_TRY(rp_journal_begin(&p->journal, journal, head));
    say_start(p, output, pieces);
    ret = 0;

fail:
    free(journal);
    free(path);
    if (ret < 0)
        rp_job_pieces_close(p, false);
    return ret;
}

int rp_job_pieces_leave(const char *output)
{
    char *const path = rp_job_folder_path(output);

    if (!path)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (rp_path_is_dir(path) && !rp_job_folder_is_live(path, NULL, false)) {
        rp_log(RP_LOG_WARN,
               "%s: there are pieces of an earlier run, which are of no use now: it "
               "starts anew",
               output);
        rp_job_folder_remove(path, NULL);
    }
    free(path);
    return 0;
}

int rp_job_pieces_fail_missing(const struct rp_job_pieces *p, const char *output, int64_t pieces)
{
    const int64_t first = p->head.first / p->head.piece;
    int64_t number = first;

    while (rp_job_pieces_find(p, number))
        number++;
    return rp_fail(RP_ERR_AGAIN,
                   "%s: %d of about %lld pieces are there, and number %lld is missing; "
                   "run the segment that makes it again",
                   output, p->done.n, (long long) pieces, (long long) number - (long long) first + 1);
}

void rp_job_pieces_close(struct rp_job_pieces *p, bool remove)
{
    char *const empty = !p->done.n && p->journal.path ? strdup(p->journal.path) : NULL;

    rp_journal_close(&p->journal);
    if (empty) /* it says nothing */
        unlink(empty);
    free(empty);
    if (remove && p->folder.path)
        rp_job_folder_remove(p->folder.path, NULL);
    rp_job_folder_close(&p->folder);
    rp_journal_list_free(&p->done);
    free(p->open);
    free(p->machine);
    p->open = NULL;
    p->machine = NULL;
    p->nmachines = 0;
    p->nopen = p->room = 0;
}

/* ---- what is missing ------------------------------------------------------------------------- */

bool rp_job_pieces_next(const struct rp_job_pieces *p, int64_t from, struct rp_stretch *out)
{
    const struct rp_journal_piece *piece;

    from = RP_MAX(from, p->from);
    while (from < p->to && (piece = rp_job_pieces_find(p, from))) {
        if (piece->last)
            return false;
        from++;
    }
    if (from >= p->to)
        return false;
    *out = (struct rp_stretch){from, p->to, p->to == INT64_MAX};
    for (int i = 0; i < p->done.n; i++)
        if (p->done.piece[i].number > from && p->done.piece[i].number < out->end) {
            out->end = p->done.piece[i].number;
            out->open = false;
        }
    return true;
}

void rp_job_pieces_sum(const struct rp_job_pieces *p, int64_t number, struct rp_piece_sums *out)
{
    *out = (struct rp_piece_sums){0};
    for (int i = 0; i < p->done.n; i++) {
        const struct rp_journal_piece *const d = &p->done.piece[i];

        if (d->number < p->from || d->number >= number)
            continue;
        out->pieces++;
        out->frames += d->frames;
        out->faces += d->faces;
        out->changed += d->changed;
        out->checked += d->checked;
        out->positive += d->positive;
        out->overflow |= d->overflow;
        out->damaged |= d->damaged;
    }
}

bool rp_job_pieces_complete(const struct rp_job_pieces *p, const struct rp_journal_piece **last)
{
    const int64_t first = p->head.first / p->head.piece;

    for (int i = 0; i < p->done.n; i++) {
        *last = &p->done.piece[i];
        if ((*last)->number != first + i)
            return false;
        if ((*last)->last)
            return true;
    }
    return false;
}

/* ---- what is being made ---------------------------------------------------------------------- */

void rp_job_pieces_begin(struct rp_job_pieces *p, const struct rp_content_sampler *sampler)
{
    p->sampler = *sampler;
    p->nopen = 0;
    atomic_store(&p->damaged, false);
}

static int add_open(struct rp_job_pieces *p, int64_t number)
{
    if (p->nopen == p->room) {
        const int room = p->room ? 2 * p->room : 8;
        struct rp_journal_piece *const more = realloc(p->open, (size_t) room * sizeof(*more));

        if (!more)
            return rp_fail(RP_ERR_NOMEM, "out of memory");
        p->open = more;
        p->room = room;
    }
    p->open[p->nopen++] = (struct rp_journal_piece){
        .number = number,
        .first = RP_MAX(number * p->head.piece, p->head.first),
        .end = p->head.end ? RP_MIN((number + 1) * p->head.piece, p->head.end)
                           : (number + 1) * p->head.piece,
        .before = rp_journal_state(&p->sampler)};
    return 0;
}

int rp_job_pieces_count(struct rp_job_pieces *p, const struct rp_media_frame *f)
{
    const int64_t number = f->index / p->head.piece;

    if (!p->nopen || p->open[p->nopen - 1].number != number)
        RP_CHECK(add_open(p, number));
    struct rp_journal_piece *const piece = &p->open[p->nopen - 1];
    rp_content_sampled(&p->sampler, f->time, f->check);
    piece->frames++;
    piece->faces += f->faces;
    piece->changed += f->changed;
    piece->checked += f->check;
    piece->positive += f->positive;
    piece->overflow |= f->overflow;
    piece->after = p->sampler;
    return 0;
}

int rp_job_pieces_done(struct rp_job_pieces *p, int64_t number, const char *path, bool last)
{
    int i = 0;

    while (i < p->nopen && p->open[i].number != number)
        i++;
    if (i == p->nopen)
        return rp_fail(RP_ERR_INVALID, "%s: nothing is known of this piece", path);
    struct rp_journal_piece piece = p->open[i];
    memmove(&p->open[i], &p->open[i + 1], (size_t) (p->nopen - i - 1) * sizeof(piece));
    p->nopen--;
    piece.last = last;
    piece.damaged = atomic_load(&p->damaged);
    piece.bytes = rp_path_size(path);
    RP_CHECK(rp_sha256_file(path, piece.sha256));
    RP_CHECK(rp_journal_add(&p->journal, &piece));
    rp_job_folder_touch(&p->folder);
    RP_CHECK(rp_journal_put(&p->done, &piece));
    qsort(p->done.piece, (size_t) p->done.n, sizeof(piece), compare);
    return 0;
}
