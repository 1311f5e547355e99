/* Text in a picture. Letters that are not in the table of letters.c (ASCII, mostly) become '?'. */
#ifndef APP_LETTERS_H
#define APP_LETTERS_H

#include "reprise/reprise.h"

/* Columns that a text takes. @param height  of capital letters, in pixels */
int app_letters_width(const char *text, int height);

/* Write into a BGR picture; what lies outside is left out.
 * @param x,y     left end and top of capital letters
 * @param colour  0xRRGGBB */
void app_letters_put(const rp_image *image, int x, int y, int height, uint32_t colour,
                     const char *text);

#endif /* APP_LETTERS_H */
