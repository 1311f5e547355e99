/* One HTTP or HTTPS transfer, and whether hosts answer at all. The only file that knows libcurl. */
#ifndef RP_HTTP_H
#define RP_HTTP_H

#include "base/base.h"

enum rp_http_end {
    RP_HTTP_DONE,    /* the whole answer came */
    RP_HTTP_AWAY,    /* no connection: no network, no such host, refused, certificate */
    RP_HTTP_REFUSED, /* a status of 400 or more, or too many redirects */
    RP_HTTP_BROKEN,  /* the connection ended within the answer */
    RP_HTTP_SLOW,    /* too little came for too long */
    RP_HTTP_STOPPED, /* by begin(), data() or tick() */
};

/* What the last answer of a chain of redirects says of itself. */
struct rp_http_reply {
    long status;         /* 0 if there was none */
    int64_t first;       /* offset of the first byte of the body in the file */
    int64_t total;       /* size of the whole file, -1 if it does not say */
    char validator[128]; /* strong ETag, else Last-Modified; "" if there is neither */
    char problem[200];   /* how it ended, as a part of a sentence; "" when done */
};

struct rp_http_request {
    const char *url;
    int64_t from;         /* ask for the bytes from here on */
    const char *if_range; /* ... only if the file is still this one (validator); NULL: always */
    int patience;         /* seconds in which next to nothing may come */
    /* Return non-zero to stop. begin() is called before the first byte of a body of a file. */
    int (*begin)(void *priv, const struct rp_http_reply *reply);
    int (*data)(void *priv, const void *data, size_t size);
    int (*tick)(void *priv); /* about once a second, also while nothing comes; may be NULL */
    void *priv;
};

enum rp_http_end rp_http_get(const struct rp_http_request *request, struct rp_http_reply *reply);

struct rp_http_host {
    const char *url; /* scheme and host; what follows is not asked for */
    bool answers;
    char problem[200]; /* if it does not */
};

/* Connect to all of them at once, to see which ones answer; nothing is asked for. Takes `seconds`
 * at most, and ends as soon as all have answered or failed. */
void rp_http_probe(struct rp_http_host *hosts, int n, int seconds);

#endif /* RP_HTTP_H */
