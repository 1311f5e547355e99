/* A contact sheet: one picture with the faces that were found, each with what is known of it. */
#ifndef APP_SHEET_H
#define APP_SHEET_H

#include "reprise/reprise.h"

struct app_sheet;

/* @param path      of the picture to be written
 * @param files     how many files there are; with several, each face is shown with its file
 * @param distance  two faces that are nearer are one person's (--reference-face-distance)
 * NULL if out of memory. */
struct app_sheet *app_sheet_create(const char *path, int files, double distance);
void app_sheet_destroy(struct app_sheet **sheet);

/* RP_ERR_USAGE with a sentence if no picture can have this name, or if it is one of the files. */
int app_sheet_check(const char *path, int n, const char *const *files);

/* From the callback of rp_analyse_file(). */
int app_sheet_add(struct app_sheet *sheet, const rp_frame_faces *frame);

int app_sheet_write(struct app_sheet *sheet);

#endif /* APP_SHEET_H */
