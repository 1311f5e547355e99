/* Frames and faces of media. What the faces of a frame are costs as much as a frame of a job: it is
 * kept in files, with a crop of each face, for an hour. */
#include "web/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FACES_KEPT = 3600, CROP_QUALITY = 95 };

struct find {
    struct web_server *server;
    const struct web_medium *medium;
    int64_t frame;
    json_t *faces;
    int w, h, ret;
};

static void faces_path(const struct web_server *s, const struct web_medium *m, int64_t frame,
                       int face, char out[WEB_PATH])
{
    if (face < 0)
        web_path(s, out, "faces/%s-%lld.json", m->id, (long long) frame);
    else
        web_path(s, out, "faces/%s-%lld-%d.jpg", m->id, (long long) frame, face);
}

static int64_t frame_of(const struct web_medium *m, int64_t frame)
{
    return strcmp(m->kind, "video") != 0 ? 0 : frame;
}

/* ---- crops ---- */

/* The face with as much again around it, so that it is found in the crop as well. */
static int write_crop(const struct find *f, const rp_image *image, const rp_face *face, int index)
{
    char path[WEB_PATH];
    const float *const b = face->box;
    const float room_x = (b[2] - b[0]) * 0.5F, room_y = (b[3] - b[1]) * 0.5F;
    const float left = b[0] - room_x > 0 ? b[0] - room_x : 0;
    const float top = b[1] - room_y > 0 ? b[1] - room_y : 0;
    rp_image crop = *image;
    const int bytes = image->format == RP_PIXEL_BGRA ? 4 : 3;

    if (!(left < (float) image->w && top < (float) image->h))
        return 0;
    const int x = (int) left, y = (int) top;
    const float right = b[2] + room_x, bottom = b[3] + room_y;
    crop.w = right < (float) image->w ? (int) right - x : image->w - x;
    crop.h = bottom < (float) image->h ? (int) bottom - y : image->h - y;
    if (crop.w < 1 || crop.h < 1)
        return 0;
    crop.data += (ptrdiff_t) y * image->stride + (ptrdiff_t) x * bytes;
    crop.owned = false;
    faces_path(f->server, f->medium, f->frame, index, path);
    return rp_image_write(&crop, path, CROP_QUALITY);
}

/* ---- finding ---- */

static double within(float v, int size)
{
    const double part = (double) v / size;

    return part > 0 ? (part < 1 ? part : 1) : 0;
}

static const char *race_name(enum rp_race race)
{
    static const char *const names[] = {NULL,    "white",  "black", "latino",
                                        "asian", "indian", "arabic"};

    return (int) race > 0 && (int) race < 7 ? names[race] : NULL;
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *face_json(const rp_frame_faces *frame, int i)
{
    const rp_face *const face = &frame->faces[i];
    const char *const gender = face->gender == RP_FEMALE ? "female"
                               : face->gender == RP_MALE ? "male"
                                                         : NULL;
    json_t *const json = json_pack("{s:i, s:i, s:[f,f,f,f], s:f}", "number", i, "position",
                                   frame->positions[i], "box", within(face->box[0], frame->w),
                                   within(face->box[1], frame->h), within(face->box[2], frame->w),
                                   within(face->box[3], frame->h), "score", (double) face->score);

    if (!json)
        return NULL;
    json_object_set_new(json, "age",
                        face->has & RP_HAS_AGE ? json_pack("[i,i]", face->age_from, face->age_to)
                                               : json_null());
    json_object_set_new(json, "gender", text_or_null(face->has & RP_HAS_GENDER ? gender : NULL));
    json_object_set_new(json, "race",
                        text_or_null(face->has & RP_HAS_RACE ? race_name(face->race) : NULL));
    return json;
}

static int take_faces(void *priv, const rp_frame_faces *frame)
{
    struct find *const f = priv;
    rp_image image;

    f->w = frame->w;
    f->h = frame->h;
    if (frame->count && (f->ret = rp_frame_image(frame, &image)) < 0)
        return 1;
    for (int i = 0; i < frame->count && f->ret >= 0; i++) {
        json_array_append_new(f->faces, face_json(frame, i));
        f->ret = write_crop(f, &image, &frame->faces[i], i);
    }
    if (frame->count)
        rp_image_free(&image);
    return 1; /* one frame is all that is wanted */
}

static int set_options(struct web_server *s, int64_t frame, bool video, rp_options **out)
{
    char text[32];
    int ret = web_options_base(s, out);

    if (ret >= 0 && video) {
        snprintf(text, sizeof(text), "%lld", (long long) frame);
        ret = rp_options_set(*out, "frame", text);
    }
    return ret;
}

/* Fills the files of a frame's faces. */
static int find_faces(struct web_server *s, const struct web_medium *m, int64_t frame)
{
    struct find f = {.server = s, .medium = m, .frame = frame, .faces = json_array()};
    rp_options *options = NULL;
    char path[WEB_PATH];
    int ret = set_options(s, frame, !strcmp(m->kind, "video"), &options);

    web_store_path(s, m, path);
    if (ret >= 0)
        ret = rp_analyse_file(s->runtime, options, path, take_faces, &f);
    if (ret >= 0)
        ret = f.ret;
    rp_options_destroy(&options);
    if (ret >= 0) {
        json_t *const json =
            json_pack("{s:i, s:i, s:O}", "width", f.w, "height", f.h, "faces", f.faces);

        faces_path(s, m, frame, -1, path);
        ret = web_save_json(s, path, json);
        json_decref(json);
    }
    json_decref(f.faces);
    return ret < 0 ? ret : 0;
}

/* The faces of a frame; found now if they are not there. */
static int get_faces(struct web_server *s, const struct web_medium *m, int64_t frame, json_t **out)
{
    static pthread_mutex_t lock =
        PTHREAD_MUTEX_INITIALIZER; /* one at a time: each uses all cores */
    char path[WEB_PATH];
    int ret = 0;

    faces_path(s, m, frame, -1, path);
    pthread_mutex_lock(&lock);
    *out = web_load_json(path);
    if (!*out && (ret = find_faces(s, m, frame)) >= 0)
        *out = web_load_json(path);
    pthread_mutex_unlock(&lock);
    return ret < 0 ? ret : *out ? 0 : RP_ERR_IO;
}

int web_face_crop(struct web_server *s, const struct web_medium *m, int64_t frame, int face,
                  char path[WEB_PATH])
{
    json_t *faces = NULL;

    frame = frame_of(m, frame);
    const int ret = get_faces(s, m, frame, &faces);
    const int n = (int) json_array_size(json_object_get(faces, "faces"));
    json_decref(faces);
    faces_path(s, m, frame, face, path);
    return ret < 0 ? ret : face < 0 || face >= n || !web_is_file(path) ? WEB_NO_FACE : 0;
}

/* ---- requests ---- */

static bool get(struct web_request *r, struct web_medium *m, int64_t *frame)
{
    if (!web_store_find(r->server, r->part[0], m)) {
        web_refuse(r, 404, "no_medium", "There is no medium of this id");
        return false;
    }
    if (!strcmp(m->kind, "sound")) {
        web_refuse(r, 422, "no_picture", "This medium is sound without pictures");
        return false;
    }
    if (!web_query_number(r, "n", 0, INT32_MAX - 1, 0, frame))
        return false;
    *frame = frame_of(m, *frame);
    return true;
}

static void give_frame(struct web_request *r)
{
    struct web_medium m;
    int64_t frame, width;
    char path[WEB_PATH], name[33];
    rp_image image;

    if (!get(r, &m, &frame) || !web_query_number(r, "width", 0, 32768, 0, &width))
        return;
    web_store_path(r->server, &m, path);
    int ret = rp_frame_read(&image, path, frame, (int) width);
    if (ret >= 0) {
        web_random_name(name, 32);
        web_path(r->server, path, "part/%s.jpg", name);
        ret = rp_image_write(&image, path, 90);
        rp_image_free(&image);
    }
    if (ret < 0) {
        web_fail(r, ret);
        return;
    }
    web_answer_file(r, path, "image/jpeg", NULL);
    (void) unlink(path);
}

static void give_faces(struct web_request *r)
{
    struct web_medium m;
    int64_t frame;
    json_t *faces = NULL;

    if (!get(r, &m, &frame))
        return;
    const int ret = get_faces(r->server, &m, frame, &faces);
    if (ret < 0)
        web_fail(r, ret);
    else
        web_answer_json(r, 200, faces);
}

static void give_face(struct web_request *r)
{
    struct web_medium m;
    int64_t frame;
    char path[WEB_PATH], *end = NULL;
    const long face = strtol(r->part[1], &end, 10);

    if (!get(r, &m, &frame))
        return;
    const int ret = end == r->part[1] || *end || face < 0 || face > 4095
                        ? WEB_NO_FACE
                        : web_face_crop(r->server, &m, frame, (int) face, path);
    if (ret == WEB_NO_FACE)
        web_refuse(r, 404, "no_face", "The frame has no face of this number");
    else if (ret < 0)
        web_fail(r, ret);
    else
        web_answer_file(r, path, "image/jpeg", NULL);
}

void web_get_frame(struct web_request *r)
{
    r->work = give_frame;
}

void web_get_faces(struct web_request *r)
{
    r->work = give_faces;
}

void web_get_face(struct web_request *r)
{
    r->work = give_face;
}

/* ---- what is old ---- */

static void remove_old(struct web_server *s, const char *name)
{
    char path[WEB_PATH];
    struct stat st;

    web_path(s, path, "faces/%s", name);
    if (lstat(path, &st) == 0 && time(NULL) - st.st_mtime > FACES_KEPT)
        (void) unlink(path);
}

void web_look_tick(struct web_server *s)
{
    web_each_file(s, "faces", remove_old);
}
