#include "pipeline/job_cut.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "media/piece.h"
#include "pipeline/cutter.h"

struct rp_job_cut {
    struct rp_job *job;
    struct rp_writer *writer;
    struct rp_pieces *pieces;
    struct rp_cutter *cutter;
    char *folder;
    bool made;                      /* the folder */
    struct rp_cutter_params params; /* of the cutter, which is made when the first frame comes */
};

static char *name_piece(void *priv, int64_t number)
{
    const struct rp_job_cut *const p = priv;

    return rp_asprintf("%s/%lld.piece", p->folder, (long long) number);
}

static int add_piece(void *priv, int64_t number, const char *path)
{
    const struct rp_job_cut *const p = priv;

    (void) number;
    if (atomic_load(&p->job->cancelled))
        return RP_ERR_CANCELLED;
    RP_CHECK(rp_writer_piece(p->writer, path));
    unlink(path);
    return 0;
}

static int make_folder(struct rp_job_cut *p, const char *temp)
{
    if (!(p->folder = rp_asprintf("%s.pieces", temp)))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    if (mkdir(p->folder, 0700) && errno != EEXIST)
        return rp_fail(RP_ERR_IO, "%s: the folder for its pieces cannot be made: %s",
                       p->job->output, strerror(errno));
    p->made = true;
    return 0;
}

/* Bytes of a frame of the output, as it waits for its encoder. */
static int64_t frame_bytes(const struct rp_job_cut_params *params)
{
    const struct rp_video_info *const info = rp_reader_info(params->reader);
    const int64_t w = RP_MAX(info->w, params->params->out_w),
                  h = RP_MAX(info->h, params->params->out_h);

    return w * h * 3;
}

static void plan_cutter(struct rp_job_cut *p, const struct rp_job_cut_params *params,
                        int64_t frames)
{
    struct rp_cutter_params *const cut = &p->params;

    *cut = (struct rp_cutter_params){
        .pieces = p->pieces, .frames = frames, .name = name_piece, .done = add_piece, .priv = p};
    cut->encoders = rp_cutter_encoders(rp_cpu_count(), frames, frame_bytes(params),
                                       (int64_t) rp_memory_total(), &cut->waiting);
    rp_log(RP_LOG_DEBUG,
           "the video is encoded in pieces of %lld frames, %d at the same time, with at "
           "most %.0f MiB of frames that wait",
           (long long) frames, cut->encoders, (double) cut->waiting / 1048576);
}

int rp_job_cut_open(struct rp_job_cut **out, const struct rp_job_cut_params *params)
{
    int ret;
    struct rp_job_cut *p;
    const struct rp_output_options *const o =
        rp_settings_get(params->job->settings, &rp_output_group);
    const int64_t frames = rp_piece_frames(rp_reader_info(params->reader), o->video_piece);

    *out = NULL;
    if (!rp_piece_several(frames, params->first, params->first + params->total))
        return 0;
    if (!(p = calloc(1, sizeof(*p))))
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    p->job = params->job;
    p->writer = params->writer;
    RP_TRY(rp_pieces_open(&p->pieces, params->job->output, params->job->target, params->reader,
                          params->params));
    if (!p->pieces)
        goto fail; /* not with this encoder */
    RP_TRY(make_folder(p, params->temp));
    plan_cutter(p, params, frames);
    *out = p;
    return 0;
fail:
    rp_job_cut_close(&p);
    return ret;
}

int rp_job_cut_put(struct rp_job_cut *p, struct rp_media_frame **frame)
{
    if (!p->cutter) {
        p->params.origin = (*frame)->pts;
        RP_CHECK(rp_cutter_create(&p->cutter, &p->params));
    }
    return rp_cutter_put(p->cutter, frame);
}

int rp_job_cut_finish(struct rp_job_cut *p)
{
    return p->cutter ? rp_cutter_finish(p->cutter, RP_PIECE_LAST) : 0;
}

/* What a job leaves that failed: nothing. */
static void remove_folder(const char *folder)
{
    struct dirent *entry;
    DIR *const d = opendir(folder);

    while (d && (entry = readdir(d)))
        unlinkat(dirfd(d), entry->d_name, 0); /* "." and ".." are none */
    if (d)
        closedir(d);
    if (rmdir(folder) && errno != ENOENT)
        rp_log(RP_LOG_WARN, "%s: cannot be removed: %s", folder, strerror(errno));
}

void rp_job_cut_close(struct rp_job_cut **pieces)
{
    struct rp_job_cut *const p = *pieces;

    if (!p)
        return;
    rp_cutter_destroy(&p->cutter);
    rp_pieces_close(&p->pieces);
    if (p->made)
        remove_folder(p->folder);
    free(p->folder);
    free(p);
    *pieces = NULL;
}
