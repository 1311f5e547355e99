/* analyse: the faces of pictures and videos, as a table or one JSON object a frame. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/app.h"
#include "app/sheet.h"

struct printer {
    bool json;
    struct app_sheet *sheet; /* NULL: none is wanted */
    bool headed; /* the heading of the file was printed */
    int failed;  /* status of a line that could not be written */
};

/* ---- names ---- */

static const char *race_name(enum rp_race race)
{
    static const char *const names[] = {
        [RP_WHITE] = "white", [RP_BLACK] = "black",   [RP_LATINO] = "latino",
        [RP_ASIAN] = "asian", [RP_INDIAN] = "indian", [RP_ARABIC] = "arabic",
    };

    return race >= RP_WHITE && race <= RP_ARABIC ? names[race] : NULL;
}

/* ---- JSON ---- */

static json_t *json_numbers(const float *v, int n)
{
    json_t *a = json_array();

    for (int i = 0; i < n; i++)
        app_json_add(a, app_json_number((double) v[i]));
    return a;
}

static json_t *json_points(const float (*v)[2], int n)
{
    json_t *a = json_array();

    for (int i = 0; i < n; i++)
        app_json_add(a, json_numbers(v[i], 2));
    return a;
}

static json_t *json_face(const rp_face *f, int position)
{
    const char *gender = app_gender_name(f);
    const char *race = f->has & RP_HAS_RACE ? race_name(f->race) : NULL;
    json_t *o = json_object();

    app_json_put(o, "position", position >= 0 ? json_integer(position) : json_null());
    app_json_put(o, "box", json_numbers(f->box, 4));
    app_json_put(o, "score", app_json_number((double) f->score));
    if (f->has & RP_HAS_LANDMARK_5)
        app_json_put(o, "landmark_5", json_points(f->landmark_5, 5));
    if (f->has & RP_HAS_LANDMARK_68)
        app_json_put(o, "landmark_68", json_points(f->landmark_68, 68));
    if (f->has & RP_HAS_LANDMARK_68)
        app_json_put(o, "landmark_score", app_json_number((double) f->landmark_score));
    if (f->has & RP_HAS_LANDMARK_5)
        app_json_put(o, "angle", json_integer(f->angle));
    if (f->has & RP_HAS_EMBEDDING)
        app_json_put(o, "embedding", json_numbers(f->embedding, 512));
    if (gender)
        app_json_put(o, "gender", json_string(gender));
    if (f->has & RP_HAS_AGE)
        app_json_put(o, "age", json_pack("[i,i]", f->age_from, f->age_to));
    if (race)
        app_json_put(o, "race", json_string(race));
    return o;
}

static int print_json(const rp_frame_faces *frame)
{
    json_t *o = json_object();
    json_t *faces = json_array();

    for (int i = 0; i < frame->count; i++)
        app_json_add(faces, json_face(&frame->faces[i], frame->positions[i]));
    app_json_put(o, "file", app_json_text(frame->path));
    app_json_put(o, "frame", json_integer(frame->frame));
    app_json_put(o, "time", app_json_number(frame->time));
    app_json_put(o, "faces", faces);
    return app_json_line(o);
}

/* ---- table ---- */

enum {
    WIDE = 66,
    NARROW = 52
}; /* columns of the table, without score and angle, without the box */

/* A row, without what the terminal has no room for, since wrapped rows are hard to read. */
static void print_cells(const char *frame, const char *face, const char *box, const char *score,
                        const char *gender, const char *age, const char *angle)
{
    const int width = isatty(STDOUT_FILENO) ? app_width(STDOUT_FILENO) : INT_MAX;

    printf("%7s  %4s", frame, face);
    if (width >= NARROW)
        printf("  %-21s", box);
    if (width >= WIDE)
        printf("  %5s", score);
    printf("  %-6s  %-6s", gender, age);
    if (width >= WIDE)
        printf("  %5s", angle);
    putchar('\n');
}

static void print_row(int64_t number, const rp_face *f, int position)
{
    const char *gender = app_gender_name(f);
    char frame[24], box[64], score[16], age[32], angle[16], place[16] = "-";

    snprintf(box, sizeof(box), "%.0f %.0f %.0f %.0f", (double) f->box[0], (double) f->box[1],
             (double) f->box[2], (double) f->box[3]);
    if (position >= 0)
        snprintf(place, sizeof(place), "%d", position);
    snprintf(frame, sizeof(frame), "%lld", (long long) number);
    snprintf(score, sizeof(score), "%.2f", (double) f->score);
    snprintf(angle, sizeof(angle), "%d", f->angle);
    print_cells(frame, place, box, score, gender ? gender : "-", app_age_text(f, age), angle);
}

static int print_table(struct printer *p, const rp_frame_faces *frame)
{
    if (!p->headed) {
        app_put(stdout, frame->path);
        printf(" (%dx%d)\n", frame->w, frame->h);
        print_cells("frame", "face", "box (x1 y1 x2 y2)", "score", "gender", "age", "angle");
        p->headed = true;
    }
    for (int i = 0; i < frame->count; i++)
        print_row(frame->frame, &frame->faces[i], frame->positions[i]);
    if (frame->count == 0)
        printf("%7lld  no face\n", (long long) frame->frame);
    return app_flush();
}

/* ---- the command ---- */

static int on_frame(void *priv, const rp_frame_faces *frame)
{
    struct printer *p = priv;

    p->failed = p->json ? print_json(frame) : print_table(p, frame);
    if (p->sheet && p->failed >= 0)
        p->failed = app_sheet_add(p->sheet, frame);
    return p->failed < 0 || app_interrupted();
}

static int analyse_files(const struct app *app, rp_runtime *runtime, struct app_sheet *sheet)
{
    int first = RP_OK;

    for (int i = 0; i < app->n_args && !app_interrupted(); i++) {
        struct printer p = {.json = app->json, .sheet = sheet};
        int ret = rp_analyse_file(runtime, app->options, app->args[i], on_frame, &p);

        if (p.failed < 0)
            return app_reader_gone() ? first : p.failed;
        if (ret < 0 && first >= 0)
            first = ret;
    }
    return app_interrupted() ? RP_ERR_CANCELLED : first;
}

/* @param sheet  becomes NULL if none is wanted */
static int open_sheet(const struct app *app, struct app_sheet **sheet)
{
    int ret;
    char *distance;

    *sheet = NULL;
    if (!app->sheet_path)
        return RP_OK;
    if ((ret = app_sheet_check(app->sheet_path, app->n_args, app->args)) < 0 ||
        (ret = rp_options_get_text(app->options, "reference-face-distance", &distance)) < 0)
        return ret;
    *sheet = app_sheet_create(app->sheet_path, app->n_args, distance ? atof(distance) : 0);
    rp_free(distance);
    if (*sheet)
        return RP_OK;
    app_log(RP_LOG_ERROR, "out of memory");
    return RP_ERR_NOMEM;
}

int app_analyse(struct app *app)
{
    rp_runtime *runtime = NULL;
    struct app_sheet *sheet = NULL;
    int ret = open_sheet(app, &sheet);

    if (ret < 0 || (ret = app_runtime(app, &runtime)) < 0)
        goto done;
    app_signals_defer(true);
    ret = analyse_files(app, runtime, sheet);
    if (sheet && ret != RP_ERR_CANCELLED && !app_interrupted()) {
        const int written = app_sheet_write(sheet);

        ret = ret < 0 ? ret : written;
    }
    app_signals_defer(false);
done:
    app_sheet_destroy(&sheet);
    rp_runtime_destroy(&runtime);
    return ret;
}
