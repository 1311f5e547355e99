/* HTTP and HTTPS transfers, and a test whether hosts answer at all. Only http.c knows libcurl. */
#ifndef RP_HTTP_H
#define RP_HTTP_H

#include "base/base.h"

enum rp_http_end {
    RP_HTTP_DONE,    /* the whole answer came */
    RP_HTTP_AWAY,    /* no connection: no network, no such host, refused, bad certificate */
    RP_HTTP_REFUSED, /* a status of 400 or more, or too many redirects */
    RP_HTTP_BROKEN,  /* the connection ended within the answer */
    RP_HTTP_SLOW,    /* too little arrived for too long */
    RP_HTTP_STOPPED, /* by begin(), data() or tick() */
};

#define RP_HTTP_PROBLEM 256 /* bytes; more than libcurl ever says */

/* The facts of the last answer in a chain of redirects. */
struct rp_http_reply {
    long status;         /* 0 if there was none */
    int64_t first;       /* offset of the first byte of the body in the file */
    int64_t total;       /* size of the whole file, -1 if unknown */
    char validator[128]; /* strong ETag, else Last-Modified, else "" */
    char problem[RP_HTTP_PROBLEM]; /* how it ended, as part of a sentence; "" when done */
};

struct rp_http_request {
    const char *url;
    int64_t from;         /* request the bytes from here on */
    const char *if_range; /* ... only if the file still has this validator; NULL: always */
    int patience;         /* seconds for which almost nothing may arrive */
    /* Return non-zero to stop. begin() is called before the first byte of a file's body. */
    int (*begin)(void *priv, const struct rp_http_reply *reply);
    int (*data)(void *priv, const void *data, size_t size);
    int (*tick)(void *priv); /* about once per second, even while nothing arrives; may be NULL */
    void *priv;
};

enum rp_http_end rp_http_get(const struct rp_http_request *request, struct rp_http_reply *reply);

/* Take the facts from one line of a header, with its end. For rp_http_get() and the fuzzer. */
void rp_http_header(struct rp_http_reply *reply, const char *data, size_t size);

struct rp_http_host {
    const char *url; /* scheme and host; anything after that is ignored */
    bool answers;
    char problem[RP_HTTP_PROBLEM]; /* if it does not */
};

/* Connect to all hosts at once to see which of them answer, without a request. Takes at most
 * `seconds`, and ends as soon as all have answered or failed. */
void rp_http_probe(struct rp_http_host *hosts, int n, int seconds);

#endif /* RP_HTTP_H */
