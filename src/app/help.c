/* --help, made from the table of options. */
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/app.h"

#define COLUMN 32     /* where descriptions begin */
#define MAX_WIDTH 100 /* longer lines are hard to read */

int app_width(int fd)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size = {0};
    long n = columns ? strtol(columns, NULL, 10) : 0;

    if (n <= 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
        n = size.ws_col;
    return n <= 0 ? 80 : n < 20 ? 20 : n > 1000 ? 1000 : (int) n;
}

void app_wrap(const char *text, int column, int indent, int width)
{
    while (*(text += strspn(text, " "))) {
        int n = (int) strcspn(text, " ");

        if (column > indent && column + 1 + n > width) {
            printf("\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        printf("%.*s", n, text);
        column += n;
        text += n;
    }
    putchar('\n');
}

/* ---- one option ---- */

static void describe_range(FILE *f, const rp_option_info *o)
{
    if (!o->is_number || o->max <= o->min)
        return;
    if (o->max >= 1e9)
        fprintf(f, "; at least %.15g", o->min);
    else
        fprintf(f, "; %.15g to %.15g", o->min, o->max);
    if (o->step > 0 && fabs(o->step - 1) > 1e-9)
        fprintf(f, " in steps of %g", o->step);
}

char *app_help_text(const rp_option_info *o, int most)
{
    int n = 0;
    size_t size = 0;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    fputs(o->help ? o->help : "", f);
    while (o->choices && o->choices[n])
        n++;
    if (n > most)
        fprintf(f, "; %s of %d names", o->is_list ? "any" : "one", n);
    for (const char *const *c = o->choices; c && *c && n <= most; c++)
        fprintf(f, "%s%s", c != o->choices ? ", " : o->is_list ? "; any of " : "; one of ", *c);
    describe_range(f, o);
    if (o->def_text && *o->def_text && !o->is_flag)
        fprintf(f, "; default %s", o->def_text);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}

const char *app_help_meta(const rp_option_info *o)
{
    return o->is_flag ? NULL : o->meta ? o->meta : o->choices ? "NAME" : "VALUE";
}

static void print_option(const rp_option_info *o, int width)
{
    char letter[] = "-x,";
    const char *meta = app_help_meta(o);
    char *text = app_help_text(o, INT_MAX);
    int column;

    letter[1] = o->letter;
    column = printf("  %3s --%s%s%s%s", o->letter ? letter : "", o->name, meta ? " " : "",
                    meta ? meta : "", o->is_list && meta && !strstr(meta, "...") ? "..." : "");
    if (column + 2 > COLUMN) {
        putchar('\n');
        column = 0;
    }
    printf("%*s", COLUMN - column, "");
    app_wrap(text ? text : "", COLUMN, COLUMN, width);
    free(text);
}

/* ---- a command, and all ---- */

void app_help(const struct app *app)
{
    const struct app_command *c = app->command;
    int width = app_width(STDOUT_FILENO);
    const char *title = "";
    char sentence[128];

    if (width > MAX_WIDTH)
        width = MAX_WIDTH;
    printf("Usage: reprise %s [options]%s%s\n\n", c->name, c->args ? " " : "",
           c->args ? c->args : "");
    snprintf(sentence, sizeof(sentence), "%s.", c->help);
    sentence[0] = (char) toupper((unsigned char) sentence[0]);
    app_wrap(sentence, 0, 0, width);
    for (int i = 0; i < app->n_table; i++) {
        const rp_option_info *o = &app->table[i];

        if (strcmp(title, o->title) != 0)
            printf("\n%s:\n", o->title);
        title = o->title;
        print_option(o, width);
    }
    if (c->notes)
        printf("\n%s", c->notes);
}

void app_help_overview(const struct app_command *commands, int n)
{
    int width = app_width(STDOUT_FILENO);

    fputs("Usage: reprise COMMAND [options]\n\n"
          "Find, swap and draw faces in pictures and video.\n\nCommands:\n",
          stdout);
    for (int i = 0; i < n; i++) {
        printf("  %-16s", commands[i].name);
        app_wrap(commands[i].help, 18, 18, width < MAX_WIDTH ? width : MAX_WIDTH);
    }
    printf("  %-16sshow the options of a command\n\n"
           "  %-16sthis list\n  %-16sversion and licence\n\n",
           "help COMMAND", "-h, --help", "-v, --version");
    fputs("Example:\n  reprise headless-run -s me.jpg -t clip.mp4 -o out.mp4\n\n"
          "Exit codes: 0 done, 1 failed, 2 wrong usage or a named model missing,\n"
          "3 blocked by the content check, 4 interrupted, 75 what another try may cure.\n",
          stdout);
}
