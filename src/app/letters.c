/* Letters as strokes, so that a picture can be labelled without a font.
 *
 * A glyph is a list of lines; each of its points is two characters, x and y, in a grid where
 * capital letters reach from 0 to 8 and others from 3 to 8; b is as low as it goes. A line of one
 * point is a dot. Strokes have round ends and soft edges. */
#include <math.h>
#include <string.h>

#include "app/letters.h"

enum { CAPITAL = 8 };
#define STROKE 0.6f /* half its width, in units of the grid */
#define GAP 2.4f    /* between two glyphs */

static const struct {
    char c;
    const char *lines;
} glyphs[] = {
    {'0', "10 40 51 57 48 18 07 01 10"},
    {'1', "12 30 38"},
    {'2', "01 10 40 51 53 08 58"},
    {'3', "01 10 40 51 53 44 24|44 55 57 48 18 07"},
    {'4', "48 40 06 56"},
    {'5', "50 00 03 43 54 57 48 18 07"},
    {'6', "40 10 01 07 18 48 57 55 44 14 05"},
    {'7', "00 50 28"},
    {'8', "10 40 51 53 44 14 03 01 10|14 05 07 18 48 57 55 44"},
    {'9', "53 44 14 03 01 10 40 51 57 48 18"},
    {'a', "13 43 54 58|55 15 06 07 18 38 56"},
    {'b', "00 08|04 13 43 54 57 48 18 07"},
    {'c', "54 43 13 04 07 18 48 57"},
    {'d', "50 58|54 43 13 04 07 18 48 57"},
    {'e', "05 55 54 43 13 04 07 18 48 57"},
    {'f', "40 30 21 28|03 43"},
    {'g', "53 5a 4b 1b 0a|54 43 13 04 07 18 48 57"},
    {'h', "00 08|04 13 43 54 58"},
    {'i', "13 18|11"},
    {'j', "23 2a 1b 0b|21"},
    {'k', "00 08|43 06|15 48"},
    {'l', "10 17 28"},
    {'m', "03 08|04 13 23 34 38|34 43 53 64 68"},
    {'n', "03 08|04 13 43 54 58"},
    {'o', "13 43 54 57 48 18 07 04 13"},
    {'p', "03 0b|04 13 43 54 57 48 18 07"},
    {'q', "53 5b|54 43 13 04 07 18 48 57"},
    {'r', "03 08|05 23 33 44"},
    {'s', "54 43 13 04 15 45 56 57 48 18 07"},
    {'t', "11 17 28 38|03 33"},
    {'u', "03 07 18 48 57|53 58"},
    {'v', "03 28 43"},
    {'w', "03 18 34 58 63"},
    {'x', "03 48|43 08"},
    {'y', "03 28|43 0b"},
    {'z', "03 43 08 48"},
    {'A', "08 30 68|15 55"},
    {'B', "00 08 48 57 55 44 04|00 40 51 53 44"},
    {'C', "51 40 10 01 07 18 48 57"},
    {'D', "00 08 38 56 52 30 00"},
    {'E', "50 00 08 58|04 44"},
    {'F', "50 00 08|04 44"},
    {'G', "51 40 10 01 07 18 48 57 54 34"},
    {'H', "00 08|50 58|04 54"},
    {'I', "10 18"},
    {'J', "40 47 38 18 07"},
    {'K', "00 08|50 05|23 58"},
    {'L', "00 08 58"},
    {'M', "08 00 34 60 68"},
    {'N', "08 00 58 50"},
    {'O', "10 50 61 67 58 18 07 01 10"},
    {'P', "08 00 40 51 53 44 04"},
    {'Q', "10 50 61 67 58 18 07 01 10|46 68"},
    {'R', "08 00 40 51 53 44 04|24 58"},
    {'S', "51 40 10 01 03 14 44 55 57 48 18 07"},
    {'T', "00 60|30 38"},
    {'U', "00 07 18 48 57 50"},
    {'V', "00 38 60"},
    {'W', "00 28 43 68 80"},
    {'X', "00 58|50 08"},
    {'Y', "00 34 60|34 38"},
    {'Z', "00 50 08 58"},
    {'.', "08"},
    {',', "18 0a"},
    {':', "04|08"},
    {'-', "05 35"},
    {'+', "05 45|23 27"},
    {'_', "09 59"},
    {'=', "04 44|06 46"},
    {'/', "40 09"},
    {'(', "20 12 17 29"},
    {')', "00 12 17 09"},
    {'\'', "00 02"},
    {'#', "20 18|50 48|03 63|05 65"},
    {'?', "01 10 40 51 52 34 35|38"},
};

static const char *lines_of(char c)
{
    for (size_t i = 0; i < sizeof(glyphs) / sizeof(*glyphs); i++)
        if (glyphs[i].c == c)
            return glyphs[i].lines;
    return lines_of('?');
}

static int unit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* In units of the grid, without the gap. */
static int width_of(char c)
{
    int w = 0;

    if (c == ' ')
        return 2;
    for (const char *l = lines_of(c); *l; l += 2 + (l[2] != '\0'))
        if (unit(l[0]) > w)
            w = unit(l[0]);
    return w;
}

static float distance(float x, float y, const float a[2], const float b[2])
{
    const float dx = b[0] - a[0], dy = b[1] - a[1], n = dx * dx + dy * dy;
    float t = n > 0 ? ((x - a[0]) * dx + (y - a[1]) * dy) / n : 0;

    t = fminf(fmaxf(t, 0), 1);
    return hypotf(x - a[0] - t * dx, y - a[1] - t * dy);
}

/* How near the point is to a glyph's lines, in units of the grid. */
static float nearest(const char *lines, float x, float y)
{
    float least = 1e9f, last[2] = {0}, at[2];
    bool joined = false;

    for (const char *l = lines; *l; l += 2 + (l[2] != '\0')) {
        at[0] = (float) unit(l[0]);
        at[1] = (float) unit(l[1]);
        least = fminf(least, distance(x, y, joined ? last : at, at));
        joined = l[2] == ' ';
        memcpy(last, at, sizeof(last));
    }
    return least;
}

static void blend(uint8_t *pixel, uint32_t colour, float share)
{
    for (int c = 0; c < 3; c++) {
        const float to = (float) ((colour >> (8 * c)) & 255);

        pixel[c] = (uint8_t) lroundf((float) pixel[c] + share * (to - (float) pixel[c]));
    }
}

static void put_glyph(const rp_image *image, char c, float left, float top, float scale,
                      uint32_t colour)
{
    const char *const lines = lines_of(c);
    const int x1 = (int) floorf(left - scale), x2 = (int) ceilf(left + 9 * scale);
    const int y1 = (int) floorf(top - scale), y2 = (int) ceilf(top + 12 * scale);

    for (int y = y1 < 0 ? 0 : y1; y < y2 && y < image->h; y++) {
        for (int x = x1 < 0 ? 0 : x1; x < x2 && x < image->w; x++) {
            const float d =
                nearest(lines, ((float) x + 0.5f - left) / scale, ((float) y + 0.5f - top) / scale);
            const float share = (STROKE - d) * scale + 0.5f;

            if (share > 0)
                blend(image->data + y * image->stride + 3 * x, colour, fminf(share, 1));
        }
    }
}

int app_letters_width(const char *text, int height)
{
    float w = 0;

    for (; *text; text++)
        w += (float) width_of(*text) + GAP;
    return (int) ceilf(w * (float) height / CAPITAL);
}

void app_letters_put(const rp_image *image, int x, int y, int height, uint32_t colour,
                     const char *text)
{
    const float scale = (float) height / CAPITAL;
    float left = (float) x + STROKE * scale;

    for (; *text; text++) {
        if (*text != ' ')
            put_glyph(image, *text, left, (float) y, scale, colour);
        left += ((float) width_of(*text) + GAP) * scale;
    }
}
