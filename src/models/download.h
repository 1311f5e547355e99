/* Fetching model files from FaceFusion's download providers or mirrors of them.
 *
 * A file grows as ".NAME.part" in the model folder, under a lock, so that of two processes one
 * waits for the other. It is kept when the download breaks and continued the next time. It gets its
 * name only when its content is what the catalogue, or the provider's .hash file, says; NAME.hash
 * is written beside it, as FaceFusion does.
 *
 * Threads: any; downloads of one object follow each other. */
#ifndef RP_DOWNLOAD_H
#define RP_DOWNLOAD_H

#include "base/hash.h"
#include "base/option.h"
#include "models/catalogue.h"

enum rp_download_scope { RP_SCOPE_LITE = 0, RP_SCOPE_FULL };

struct rp_download_options {
    struct rp_opt_choices providers; /* in order of preference */
    int scope;                       /* enum rp_download_scope */
    struct rp_opt_strings mirrors;   /* "github=https://mirror.example" */
    int patience;                    /* seconds in which next to nothing may come */
    bool offline;
};
extern const struct rp_opt_group rp_download_group;

struct rp_downloads;

/* $REPRISE_MIRRORS is used without mirrors in the options; $REPRISE_OFFLINE makes it offline.
 * RP_ERR_USAGE if a mirror is not "PROVIDER=URL". */
int rp_downloads_create(struct rp_downloads **out, const struct rp_download_options *options,
                        rp_download_fn *fn, void *priv);
void rp_downloads_destroy(struct rp_downloads **downloads);

/* Why this file cannot be fetched whatever the network does, or NULL. `downloads` may be NULL. */
const char *rp_downloads_refuse(const struct rp_downloads *downloads,
                                const struct rp_model_entry *entry);

/* Fetch a file to `path`. What failed less than a minute ago fails again at once.
 * @param replace  also when there is one, which is kept until the new one is whole and right
 * @param why  on failure what went wrong, as a part of a sentence
 * @return RP_OK; RP_ERR_MISSING when no host can be reached; RP_ERR_MODEL when the file was wrong
 *         there; RP_ERR_CANCELLED when `fn` said so; RP_ERR_IO else. Nothing is logged as an error. */
int rp_downloads_get(struct rp_downloads *downloads, const struct rp_model_entry *entry,
                     const char *path, bool replace, char *why, size_t size);

/* ---- inside: download.c chooses the host, fetch.c brings one file from it -------------------- */

struct rp_host {
    int provider;
    char *base;       /* "https://github.com" */
    const char *name; /* "github.com", in base */
    bool away;
    char problem[200];
};

struct rp_fetch {
    const struct rp_model_entry *entry;
    const char *path;
    bool replace;
    int patience;
    rp_download_fn *fn;
    void *priv;
    char *why;          /* grows by a phrase a host */
    size_t why_size;
    int status;         /* of the failure */
    /* fetch.c's own */
    char *part, *note;  /* ".NAME.part", ".NAME.from": host and validator of what is in it */
    int fd;
    int64_t size;       /* of the part */
    int64_t total;      /* of the file, -1 while unknown */
    bool has_crc, local_failure, whole, said;
    uint32_t crc;       /* wanted, if has_crc */
    const struct rp_host *host;
    char problem[200];  /* of this host */
    double begun, told;
    int64_t begun_size;
};

/* Take the lock. 1: another process has brought the file meanwhile. */
int rp_fetch_begin(struct rp_fetch *f);
/* True when the file is in place. */
bool rp_fetch_from(struct rp_fetch *f, struct rp_host *host);
void rp_fetch_end(struct rp_fetch *f);

#endif /* RP_DOWNLOAD_H */
