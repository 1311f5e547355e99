/* `reprise serve`: the page and the interface for programs, on one port.
 *
 * This folder uses reprise.h and nothing else of the library but how JSON becomes text, like src/app,
 * which calls the one function below. docs/api.md says what is served, docs/security.md what is
 * defended. */
#ifndef WEB_H
#define WEB_H

#include <stdbool.h>
#include <stdint.h>

#include "reprise/reprise.h"

struct web_params {
    const char *host;        /* NULL: 127.0.0.1 */
    int port;                /* 0: any that is free */
    const char *socket;      /* path of a UNIX socket instead, or NULL */
    const char *certificate; /* PEM files of both, or NULL */
    const char *certificate_key;
    const char *folder;          /* of media, jobs and results; NULL: the user's state folder */
    int64_t quota;               /* bytes that all files in it may take together */
    const char *const *cameras;  /* "NAME=ADDRESS" each: what clients may look at live */
    int n_cameras;
    bool insecure;               /* serve other hosts without a certificate */
    bool open;                   /* show the page in the user's browser */
    const rp_options *options;   /* what the command line has set: defaults of every job */
    const rp_option_info *table; /* the options of headless-run, in the order of the manual */
    int n_table;
    const char *const *commands; /* NULL-terminated */
    bool (*interrupted)(void);   /* true: end */
};

/* Serve until interrupted() says so. Prints one line with the address on stdout.
 * @return 0, or what failed, which the log has said */
int web_serve(const struct web_params *params);

#endif /* WEB_H */
