/* The contact sheet: first one picture of each person, then more sightings, evenly spread over what
 * was seen. A person is whoever's faces are near each other; of each the best-scored face is shown.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "app/app.h"
#include "app/letters.h"
#include "app/sheet.h"

enum {
    SIDE = 192, /* of a face */
    COLUMNS = 5,
    PAGE = 30, /* faces */
    GAP = 20,
    LETTERS = 11, /* height of capital letters */
    LINE = 20,
    HEADING = 44,
    MOST = 4096, /* people that are told apart */
};

#define PAPER 0xf7f7f5
#define INK 0x1c2430
#define FAINT 0x6b7480
#define EMPTY 0xdfe2e4

/* A face as it will be shown. */
struct shot {
    uint8_t *pixels; /* SIDE x SIDE, BGR */
    char line[4][96];
    float score;
};

struct person {
    float embedding[512];
    int64_t seen;
    struct shot shot; /* of the first PAGE persons */
};

struct app_sheet {
    const char *path;
    int files;
    int columns;
    double distance;
    int64_t faces, frames;
    char *file; /* the only one, or the last */
    struct person *person;
    int n_person, room;
    struct shot more[PAGE];
    int n_more;
    int64_t more_seen, stride; /* every stride-th is kept */
};

struct app_sheet *app_sheet_create(const char *path, int files, double distance)
{
    struct app_sheet *const s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->path = path;
    s->files = files;
    s->distance = distance;
    s->stride = 1;
    return s;
}

void app_sheet_destroy(struct app_sheet **sheet)
{
    struct app_sheet *const s = *sheet;

    if (!s)
        return;
    for (int i = 0; i < s->n_person; i++)
        free(s->person[i].shot.pixels);
    for (int i = 0; i < s->n_more; i++)
        free(s->more[i].pixels);
    free(s->person);
    free(s->file);
    free(s);
    *sheet = NULL;
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int app_sheet_check(const char *path, int n, const char *const *files)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"};
    const char *const end = strrchr(path, '.');
    bool good = false;

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends) && end; i++)
        good |= !strcasecmp(end, ends[i]);
    if (!good) {
        app_log(RP_LOG_ERROR, "--sheet: %s must end in png, jpg, webp, bmp or tiff", path);
        return RP_ERR_USAGE;
    }
    for (int i = 0; i < n; i++) {
        if (same_file(path, files[i])) {
            app_log(RP_LOG_ERROR, "--sheet: %s is one of the files to look at; give another name",
                    path);
            return RP_ERR_USAGE;
        }
    }
    return RP_OK;
}

/* ---- a face ---------------------------------------------------------------------------------- */

const char *app_gender_name(const rp_face *f)
{
    return !(f->has & RP_HAS_GENDER)   ? NULL
           : f->gender == RP_FEMALE ? "female"
           : f->gender == RP_MALE   ? "male"
                                       : NULL;
}

const char *app_age_text(const rp_face *f, char out[32])
{
    snprintf(out, 32, "-");
    if (f->has & RP_HAS_AGE && f->age_to > f->age_from + 1)
        snprintf(out, 32, "%d-%d", f->age_from, f->age_to - 1);
    else if (f->has & RP_HAS_AGE)
        snprintf(out, 32, "%d", f->age_from);
    return out;
}

/* Add the picture's value at a point, linear between pixels; outside the picture it is grey. */
static void add_value(const rp_image *image, double x, double y, double sum[3])
{
    const int bytes = image->format == RP_PIXEL_BGRA ? 4 : 3;
    const bool inside = x > -0.5 && y > -0.5 && x < image->w - 0.5 && y < image->h - 0.5;
    const int x1 = inside ? (int) fmax(floor(x), 0) : 0, y1 = inside ? (int) fmax(floor(y), 0) : 0;
    const int right = x1 + 1 < image->w ? bytes : 0;
    const ptrdiff_t below = y1 + 1 < image->h ? image->stride : 0;
    const uint8_t *const p = image->data + y1 * image->stride + bytes * x1;
    const double fx = fmax(x - x1, 0), fy = fmax(y - y1, 0);

    for (int c = 0; c < 3; c++)
        sum[c] += inside ? (1 - fy) * ((1 - fx) * p[c] + fx * p[c + right]) +
                               fy * ((1 - fx) * p[c + below] + fx * p[c + below + right])
                         : (double) ((EMPTY >> (8 * c)) & 255);
}

/* The mean of the picture under one pixel of the sheet.
 * @param x,y,step  its top left corner in the picture, and its size there */
static void sample(const rp_image *image, double x, double y, double step, uint8_t out[3])
{
    const int n = step > 16 ? 16 : (int) ceil(step);
    double sum[3] = {0};

    for (int j = 0; j < n; j++)
        for (int i = 0; i < n; i++)
            add_value(image, x + (i + 0.5) * step / n - 0.5, y + (j + 0.5) * step / n - 0.5, sum);
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t) lround(sum[c] / (n * n));
}

/* The square around the face's box with some of what surrounds it. */
static uint8_t *cut(const rp_image *image, const float box[4])
{
    const double side =
        1.5 * fmax(fmax((double) box[2] - (double) box[0], (double) box[3] - (double) box[1]), 4);
    const double left = ((double) box[0] + (double) box[2] - side) / 2;
    const double top = ((double) box[1] + (double) box[3] - side) / 2;
    uint8_t *const pixels = malloc((size_t) SIDE * SIDE * 3);

    for (int y = 0; y < SIDE && pixels; y++)
        for (int x = 0; x < SIDE; x++)
            sample(image, left + x * side / SIDE, top + y * side / SIDE, side / SIDE,
                   pixels + 3 * (y * SIDE + x));
    return pixels;
}

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* @param image  the frame; *made says whether it is there already */
static int shoot(const struct app_sheet *s, const rp_frame_faces *frame, int i, rp_image *image,
                 struct shot *out)
{
    int ret;
    const rp_face *const f = &frame->faces[i];
    const int position = frame->positions[i];
    const char *const gender = app_gender_name(f);
    char age[32];
    struct shot shot = {.score = f->score};

    if (!image->data && (ret = rp_frame_image(frame, image)) < 0)
        return ret;
    if (!(shot.pixels = cut(image, f->box))) {
        app_log(RP_LOG_ERROR, "out of memory");
        return RP_ERR_NOMEM;
    }
    if (position >= 0)
        snprintf(shot.line[0], sizeof(shot.line[0]), "face %d, frame %lld", position,
                 (long long) frame->frame);
    else
        snprintf(shot.line[0], sizeof(shot.line[0]), "not counted, frame %lld",
                 (long long) frame->frame);
    snprintf(shot.line[1], sizeof(shot.line[1]), "%s, %s", gender ? gender : "-",
             app_age_text(f, age));
    snprintf(shot.line[2], sizeof(shot.line[2]), "score %.2f", (double) f->score);
    if (s->files > 1)
        snprintf(shot.line[3], sizeof(shot.line[3]), "%.90s", base_name(frame->path));
    free(out->pixels);
    *out = shot;
    return RP_OK;
}

/* ---- who it is ------------------------------------------------------------------------------- */

/* FaceFusion's rule: half of 1 - cos. */
static double apart(const float *a, const float *b)
{
    double dot = 0;

    for (int i = 0; i < 512; i++)
        dot += (double) a[i] * (double) b[i];
    return (1 - dot) / 2;
}

/* The nearest known person; NULL: nobody is near enough. */
static struct person *find(const struct app_sheet *s, const rp_face *face)
{
    struct person *found = NULL;
    double least = s->distance;

    for (int i = 0; i < s->n_person; i++) {
        const double d = apart(s->person[i].embedding, face->embedding);

        if (d < least) {
            least = d;
            found = &s->person[i];
        }
    }
    return found;
}

/* NULL if out of memory. */
static struct person *add_person(struct app_sheet *s, const rp_face *face)
{
    if (!s->person || s->n_person == s->room) {
        const int room = s->room ? 2 * s->room : 16;
        struct person *const grown = realloc(s->person, (size_t) room * sizeof(*grown));

        if (!grown) {
            app_log(RP_LOG_ERROR, "out of memory");
            return NULL;
        }
        s->person = grown;
        s->room = room;
    }
    struct person *const p = &s->person[s->n_person++];

    *p = (struct person){0};
    memcpy(p->embedding, face->embedding, sizeof(p->embedding));
    return p;
}

/* When the room for further sightings is full, every second one goes. */
static void thin_out(struct app_sheet *s)
{
    int n = 0;

    for (int i = 0; i < s->n_more; i++) {
        if (i % 2)
            free(s->more[i].pixels);
        else
            s->more[n++] = s->more[i];
    }
    s->n_more = n;
    s->stride *= 2;
}

static int add_more(struct app_sheet *s, const rp_frame_faces *frame, int i, rp_image *image)
{
    int ret;

    if (s->more_seen++ % s->stride)
        return RP_OK;
    if (s->n_more == PAGE) {
        thin_out(s);
        if ((s->more_seen - 1) % s->stride)
            return RP_OK;
    }
    s->more[s->n_more] = (struct shot){0};
    if ((ret = shoot(s, frame, i, image, &s->more[s->n_more])) >= 0)
        s->n_more++;
    return ret;
}

static int add_face(struct app_sheet *s, const rp_frame_faces *frame, int i, rp_image *image)
{
    const rp_face *const f = &frame->faces[i];
    const bool known = f->has & RP_HAS_EMBEDDING;
    struct person *p = known ? find(s, f) : NULL;

    if (known && !p && s->n_person < MOST) {
        if (!(p = add_person(s, f)))
            return RP_ERR_NOMEM;
        p->seen = 1;
        return s->n_person <= PAGE ? shoot(s, frame, i, image, &p->shot) : RP_OK;
    }
    if (p && ++p->seen && p->shot.pixels && f->score > p->shot.score + 0.02f)
        return shoot(s, frame, i, image, &p->shot);
    return add_more(s, frame, i, image);
}

int app_sheet_add(struct app_sheet *s, const rp_frame_faces *frame)
{
    int ret = RP_OK;
    rp_image image = {0};

    if (!s->file || strcmp(s->file, frame->path) != 0) {
        free(s->file);
        s->file = strdup(frame->path);
    }
    s->frames++;
    s->faces += frame->count;
    for (int i = 0; i < frame->count && ret >= 0; i++)
        ret = add_face(s, frame, i, &image);
    rp_image_free(&image);
    return ret;
}

/* ---- the page -------------------------------------------------------------------------------- */

static void fill(const rp_image *page, uint32_t colour)
{
    for (int y = 0; y < page->h; y++)
        for (int x = 0; x < page->w; x++)
            for (int c = 0; c < 3; c++)
                page->data[y * page->stride + 3 * x + c] = (uint8_t) (colour >> (8 * c));
}

/* Text in at most `room` columns; what does not fit is left out. */
static void put_text(const rp_image *page, int x, int y, int room, uint32_t colour,
                     const char *text)
{
    char shown[160];

    snprintf(shown, sizeof(shown), "%s", text);
    for (size_t n = strlen(shown); n > 3 && app_letters_width(shown, LETTERS) > room; n--)
        memcpy(shown + n - 3, "..", 3);
    app_letters_put(page, x, y, LETTERS, colour, shown);
}

static int cell_height(const struct app_sheet *s)
{
    return SIDE + 12 + (s->files > 1 ? 4 : 3) * LINE + GAP;
}

static void put_shot(const struct app_sheet *s, const rp_image *page, const struct shot *shot,
                     int x, int y)
{
    for (int row = 0; row < SIDE; row++)
        memcpy(page->data + (y + row) * page->stride + 3 * x, shot->pixels + 3 * row * SIDE,
               SIDE * 3);
    for (int i = 0; i < (s->files > 1 ? 4 : 3); i++)
        put_text(page, x, y + SIDE + 12 + i * LINE, SIDE, i ? FAINT : INK, shot->line[i]);
}

/* A heading and faces below it. Returns where the next one begins. */
static int put_part(const struct app_sheet *s, const rp_image *page, int y, const char *heading,
                    const struct shot *const *shots, int n)
{
    app_letters_put(page, GAP, y + 8, LETTERS + 3, INK, heading);
    y += HEADING;
    for (int i = 0; i < n; i++)
        put_shot(s, page, shots[i], GAP + i % s->columns * (SIDE + GAP),
                 y + i / s->columns * cell_height(s));
    return y + (n + s->columns - 1) / s->columns * cell_height(s);
}

static int part_height(const struct app_sheet *s, int n)
{
    return n ? HEADING + (n + s->columns - 1) / s->columns * cell_height(s) : 0;
}

/* Of the further sightings, as many as fit, evenly spread. */
static int choose_more(const struct app_sheet *s, int room, const struct shot **out)
{
    const int n = s->n_more < room ? s->n_more : room;

    for (int i = 0; i < n; i++)
        out[i] = &s->more[(int) ((int64_t) i * s->n_more / n)];
    return n;
}

static void title(const struct app_sheet *s, char *out, size_t size)
{
    char files[32];

    snprintf(files, sizeof(files), "%d files", s->files);
    snprintf(out, size, "%s: %lld face%s in %lld frame%s",
             s->files > 1 ? files : base_name(s->file ? s->file : ""), (long long) s->faces,
             s->faces == 1 ? "" : "s", (long long) s->frames, s->frames == 1 ? "" : "s");
}

static void draw(const struct app_sheet *s, const rp_image *page, const struct shot *const *people,
                 int n_people, const struct shot *const *more, int n_more)
{
    char text[160];
    int y = GAP;

    fill(page, PAPER);
    title(s, text, sizeof(text));
    put_text(page, GAP, y + 4, page->w - 2 * GAP, FAINT, text);
    y += 2 * LINE;
    if (n_people) {
        if (n_people < s->n_person)
            snprintf(text, sizeof(text), "%d of %d different people", n_people, s->n_person);
        else
            snprintf(text, sizeof(text), "%d different %s", n_people,
                     n_people == 1 ? "person" : "people");
        y = put_part(s, page, y, text, people, n_people);
    }
    if (n_more) {
        snprintf(text, sizeof(text), "More sightings: %d of %lld", n_more,
                 (long long) (s->faces - n_people));
        put_part(s, page, y, text, more, n_more);
    }
    if (!n_people && !n_more)
        put_text(page, GAP, y, page->w - 2 * GAP, INK, "no face was found");
}

int app_sheet_write(struct app_sheet *s)
{
    int n_people = 0, n_more, ret;
    const struct shot *people[PAGE], *more[PAGE];
    rp_image page = {.format = RP_PIXEL_BGR};

    for (; n_people < s->n_person && n_people < PAGE; n_people++)
        people[n_people] = &s->person[n_people].shot;
    n_more = choose_more(s, PAGE - (n_people + COLUMNS - 1) / COLUMNS * COLUMNS, more);
    s->columns = n_people > n_more ? n_people : n_more;
    s->columns = s->columns < 3 ? 3 : s->columns > COLUMNS ? COLUMNS : s->columns;
    page.w = GAP + s->columns * (SIDE + GAP);
    page.h = 2 * GAP + 2 * LINE + part_height(s, n_people) + part_height(s, n_more);
    page.stride = (ptrdiff_t) page.w * 3;
    if (!(page.data = malloc((size_t) page.stride * (size_t) page.h))) {
        app_log(RP_LOG_ERROR, "out of memory");
        return RP_ERR_NOMEM;
    }
    draw(s, &page, people, n_people, more, n_more);
    if ((ret = rp_image_write(&page, s->path, 90)) >= 0)
        app_log(RP_LOG_INFO, "%s: %d of %lld face%s", s->path, n_people + n_more,
                (long long) s->faces, s->faces == 1 ? "" : "s");
    free(page.data);
    return ret;
}
