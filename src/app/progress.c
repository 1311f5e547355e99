/* Progress: a bar on the last line of the terminal, or else a line now and then. Calls come from
 * threads of the library. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

/* Seconds between two lines without a terminal: often enough to follow, yet short in a log file. */
#define LINE_PERIOD 5.0

static double last_line;

static void format_time(char *out, size_t size, double seconds)
{
    long s = lround(fmin(seconds, 359999)); /* 99:59:59 */

    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

/* What is said beside the bar, in several lengths for terminals of several widths; the rooms are
 * the columns that each takes at most, so that the bar keeps its length while the text changes. */
enum { LENGTHS = 4 };
struct counts {
    char text[LENGTHS][240]; /* the longest first */
    int room[LENGTHS];
};

static void format_counts(struct counts *out, const rp_progress *p)
{
    char frames[64], left[48] = "", fps[32];
    const int digits = snprintf(NULL, 0, "%lld", (long long) p->frames_total);
    const int n = 2 * digits + 1;

    if (p->frames_total > 0)
        snprintf(frames, sizeof(frames), "%lld/%lld", (long long) p->frames_done,
                 (long long) p->frames_total);
    else
        snprintf(frames, sizeof(frames), "%lld", (long long) p->frames_done);
    if (p->frames_total > p->frames_done && p->fps > 0) {
        char time[24];

        format_time(time, sizeof(time), (double) (p->frames_total - p->frames_done) / p->fps);
        snprintf(left, sizeof(left), "  %s left", time);
    }
    snprintf(fps, sizeof(fps), "  %.1f fps", p->fps);
    snprintf(out->text[0], sizeof(out->text[0]), "%s frames%s%s", frames, fps, left);
    snprintf(out->text[1], sizeof(out->text[1]), "%s frames%s", frames, left);
    snprintf(out->text[2], sizeof(out->text[2]), "%s%s", frames, left);
    snprintf(out->text[3], sizeof(out->text[3]), "%s", frames);
    out->room[0] = n + (int) strlen(" frames  999.9 fps  9:59:59 left");
    out->room[1] = n + (int) strlen(" frames  9:59:59 left");
    out->room[2] = n + (int) strlen("  9:59:59 left");
    out->room[3] = n;
}

/* "  43 % |=======      | 130/301 frames  24.8 fps  0:07 left", as wide as the terminal less one
 * column, because a character in the last one makes some terminals wrap. Less is said where there
 * is less room; the bar itself goes first, the share last.
 * @param part  share that is done, 0 to 1; negative when the total is unknown */
static void format_bar(char *out, size_t size, double part, const struct counts *counts, int width)
{
    int k = 0;
    char line[40];

    while (k < LENGTHS - 1 && (int) strlen("  43 % ") + counts->room[k] > width - 1)
        k++;
    int cells = width - 1 - (int) strlen("  43 % || ") - counts->room[k];
    if (cells > (int) sizeof(line))
        cells = (int) sizeof(line);
    if (part < 0)
        snprintf(out, size, "  %s", counts->text[k]);
    else if (cells < 5)
        snprintf(out, size, " %3.0f %% %s", floor(100 * part), counts->text[k]);
    else {
        memset(line, ' ', sizeof(line));
        memset(line, '=', (size_t) (part * cells));
        snprintf(out, size, " %3.0f %% |%.*s| %s", floor(100 * part), cells, line,
                 counts->text[k]);
    }
    if (width >= 1 && (size_t) width <= size)
        out[width - 1] = '\0';
}

static bool can_redraw(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

static double part_of(int64_t done, int64_t total)
{
    /* a video's total is an estimate */
    return total > 0 ? fmin((double) done / (double) total, 1) : -1;
}

static void draw_bar(double part, const struct counts *counts)
{
    char bar[APP_BAR_SIZE];

    format_bar(bar, sizeof(bar), part, counts, app_bar_width());
    app_bar_draw(bar);
}

/* @param seconds  since the work began */
static void print_now_and_then(double seconds, const char *counts)
{
    if (seconds < last_line) /* of other work */
        last_line = 0;
    if (seconds - last_line < LINE_PERIOD)
        return;
    last_line = seconds;
    app_log(RP_LOG_INFO, "%s", counts);
}

void app_progress(void *priv, const rp_progress *progress)
{
    struct counts counts = {0};

    (void) priv;
    if (app_log_level_get() < RP_LOG_INFO || progress->frames_total == 1)
        return; /* a picture is done before anyone could read a bar */
    format_counts(&counts, progress);
    if (can_redraw())
        draw_bar(part_of(progress->frames_done, progress->frames_total), &counts);
    else
        print_now_and_then(progress->seconds, counts.text[0]);
}

/* "inswapper_128 173.2/555.3 MB  12.3 MB/s  0:31 left" */
static void format_download(struct counts *out, const rp_download *d)
{
    char total[32] = "", left[48] = "", time[24], speed[32];
    const int64_t rest = d->bytes_total - d->bytes_done;
    const double done = (double) d->bytes_done / 1e6;
    const int name = (int) strnlen(d->name, 60);

    if (d->bytes_total > 0)
        snprintf(total, sizeof(total), "/%.1f", (double) d->bytes_total / 1e6);
    if (rest > 0 && d->bytes_per_second > 0) {
        format_time(time, sizeof(time), (double) rest / d->bytes_per_second);
        snprintf(left, sizeof(left), "  %s left", time);
    }
    snprintf(speed, sizeof(speed), "  %.1f MB/s", d->bytes_per_second / 1e6);
    snprintf(out->text[0], sizeof(out->text[0]), "%.60s %.1f%s MB%s%s", d->name, done, total, speed,
             left);
    snprintf(out->text[1], sizeof(out->text[1]), "%.60s %.1f%s MB%s", d->name, done, total, left);
    snprintf(out->text[2], sizeof(out->text[2]), "%.60s%s", d->name, left);
    snprintf(out->text[3], sizeof(out->text[3]), "%.60s", d->name);
    out->room[0] = name + (int) strlen(" 9999.9/9999.9 MB  999.9 MB/s  9:59 left");
    out->room[1] = name + (int) strlen(" 9999.9/9999.9 MB  9:59 left");
    out->room[2] = name + (int) strlen("  9:59 left");
    out->room[3] = name;
}

int app_download(void *priv, const rp_download *download)
{
    struct counts counts = {0};

    (void) priv;
    if (download->ended)
        app_bar_end();
    if (download->ended || app_log_level_get() < RP_LOG_INFO)
        return app_interrupted();
    format_download(&counts, download);
    if (can_redraw())
        draw_bar(part_of(download->bytes_done, download->bytes_total), &counts);
    else
        print_now_and_then(download->seconds, counts.text[0]);
    return app_interrupted();
}
