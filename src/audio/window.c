/* Which columns of a voice belong to a frame.
 *
 * FaceFusion numbers the columns at which frames end 0, 80 / fps, 2 * 80 / fps, ... and drops those
 * before the first whole window, so that a frame hears what is said in the 0.2 s after it. Here
 * frames have times; those of a constant frame rate get the same columns. */
#include "audio/speech.h"

#include "base/base.h"

#include <math.h>

#define BEYOND 1e12   /* columns and frames: more are not looked at */
#define ROUNDED 0.001 /* seconds: containers count time in whole thousandths, or finer */

/* The number of a frame at this time, whole where the time is that of a whole number but for
 * rounding. */
static double frame_number(double time, double fps)
{
    const double n = time * fps, whole = floor(n + 0.5);

    return fabs(n - whole) <= ROUNDED * fps ? whole : n;
}

/* How many of the numbers 0, step, 2 * step ... come before the first whole window. */
static double frames_dropped(double step)
{
    double n = RP_MAX(floor(RP_SPEECH_WINDOW / step) - 1, 0);

    while (floor(n * step) < RP_SPEECH_WINDOW)
        n++;
    return n;
}

int64_t rp_speech_column(const struct rp_speech *speech, double time, double fps)
{
    const double step = RP_SPEECH_RATE / fps;

    if (!speech || !(step > 1 / BEYOND && step < BEYOND) || !(fabs(time) < BEYOND / (1 + fps)) ||
        !(fabs(speech->start) < BEYOND / (1 + fps)))
        return INT64_MIN;
    const double n = frame_number(time - speech->start, fps);
    return (int64_t) floor((n + frames_dropped(step)) * step) - RP_SPEECH_WINDOW;
}

void rp_speech_window(const struct rp_speech *speech, double time, double fps, float *window)
{
    const int64_t first = rp_speech_column(speech, time, fps);

    for (int i = 0; i < RP_SPEECH_WINDOW; i++) {
        const int64_t at = first == INT64_MIN ? -1 : first + i;
        const bool heard = at >= 0 && at < speech->count;

        for (int band = 0; band < RP_SPEECH_BANDS; band++)
            window[band * RP_SPEECH_WINDOW + i] =
                heard ? speech->mel[at * RP_SPEECH_BANDS + band] : 0;
    }
}

void rp_speech_levels(float *window, float factor)
{
    for (int i = 0; i < RP_SPEECH_BANDS * RP_SPEECH_WINDOW; i++) {
        const double v = log10(RP_MAX((double) window[i], 1e-5)) * 1.6 + 3.2;

        window[i] = (float) RP_CLAMP(v, -4.0, 4.0) * factor;
    }
}
