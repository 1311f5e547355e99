/* Which host a model comes from: providers, their mirrors, and which of them answer. */
#include "models/download.h"

#include <ctype.h>
#include <pthread.h>
#include <strings.h>

#include "models/http.h"

#define PROBE_SECONDS 4
#define AGAIN_SECONDS 60 /* after a failure, until the next try */

enum { MAX_HOSTS = 16, MAX_FAILED = 64 };

enum provider { GITHUB, HUGGINGFACE, NPM, PROVIDERS };
static const char *const provider_names[] = {"github", "huggingface", NULL}; /* as FaceFusion's */
static const char *const host_names[PROVIDERS] = {"github", "huggingface", "npm"};
static const char *const scopes[] = {"lite", "full", NULL};

/* In order of preference: the hosts of providers for which no mirrors are given. */
static const struct {
    enum provider provider;
    const char *base;
} known_hosts[] = {
    {GITHUB, "https://github.com"},
    {HUGGINGFACE, "https://huggingface.co"},
    {HUGGINGFACE, "https://hf-mirror.com"},
    {NPM, "https://registry.npmjs.org"},
};

/* clang-format off */
#define AT(field) offsetof(struct rp_download_options, field)
static const struct rp_opt download_opts[] = {
    {"download-providers", 0, RP_OPT_CHOICES, AT(providers), .def_text = "github huggingface",
     .choices = provider_names, .help = "where missing models are fetched from, in this order"},
    {"download-scope", 0, RP_OPT_CHOICE, AT(scope), .def_text = "lite", .choices = scopes,
     .help = "deep swappers that force-download fetches: 24, or all 157"},
    {"download-mirrors", 0, RP_OPT_STRINGS, AT(mirrors), .meta = "PROVIDER=URL...",
     .ours = true, .help = "hosts to use instead of a provider's own, also npm=URL; default $REPRISE_MIRRORS"},
    {"download-patience", 0, RP_OPT_INT, AT(patience), 1, 3600, 1, .def_text = "30", .meta = "SECONDS",
     .ours = true, .help = "a host that sends next to nothing for so long is given up"},
    {"offline", 0, RP_OPT_FLAG, AT(offline),
     .ours = true, .help = "fetch nothing; also with $REPRISE_OFFLINE=1"},
    {0},
};
#undef AT
/* clang-format on */
const struct rp_opt_group rp_download_group = {"download", "Download",
                                               sizeof(struct rp_download_options), download_opts};

struct rp_downloads {
    pthread_mutex_t lock;
    const char *off; /* why nothing is fetched, or NULL */
    struct rp_host hosts[MAX_HOSTS];
    int n_hosts, patience;
    double probed[2];         /* when; 0 = never: hosts of models, of packages */
    struct rp_lite_files put; /* by a package, and not yet told by rp_downloads_brought() */
    rp_download_fn *fn;
    void *priv;
    struct {
        const struct rp_model_entry *entry;
        double when;
        int status;
        char why[400];
    } failed[MAX_FAILED]; /* a ring */
    int n_failed;
};

/* ---- hosts ----------------------------------------------------------------------------------- */

static int add_host(struct rp_downloads *d, int provider, const char *base)
{
    struct rp_host *const h = &d->hosts[d->n_hosts];
    size_t n = strlen(base);

    if (d->n_hosts == MAX_HOSTS)
        return rp_fail(RP_ERR_USAGE, "--download-mirrors: more than %d hosts", MAX_HOSTS);
    while (n && base[n - 1] == '/')
        n--;
    h->base = strndup(base, n);
    if (!h->base)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    h->provider = provider;
    h->name = strstr(h->base, "://") + 3;
    d->n_hosts++;
    return 0;
}

static bool is_url(const char *text)
{
    const bool http = !strncasecmp(text, "http://", 7) || !strncasecmp(text, "https://", 8);

    for (const char *c = text; *c; c++) {
        if (!isgraph((unsigned char) *c))
            return false;
    }
    return http && strstr(text, "://")[3];
}

/* Add the mirror if it belongs to this provider; RP_ERR_USAGE if it belongs to none. */
static int add_mirror(struct rp_downloads *d, int provider, const char *text, bool *found)
{
    for (int p = 0; p < PROVIDERS; p++) {
        const size_t n = strlen(host_names[p]);
        if (strncmp(text, host_names[p], n) != 0 || text[n] != '=' || !is_url(text + n + 1))
            continue;
        if (p != provider)
            return 0;
        *found = true;
        return add_host(d, p, text + n + 1);
    }
    return rp_fail(RP_ERR_USAGE,
                   "--download-mirrors: %s is not github=URL, huggingface=URL or npm=URL "
                   "with http:// or https://",
                   text);
}

static int add_mirrors(struct rp_downloads *d, int provider, const struct rp_opt_strings *mirrors,
                       bool *found)
{
    int ret = 0;
    char *save = NULL;
    const char *const words = getenv("REPRISE_MIRRORS");

    for (int i = 0; i < mirrors->n && ret >= 0; i++)
        ret = add_mirror(d, provider, mirrors->v[i], found);
    if (mirrors->n || !words || ret < 0)
        return ret;
    char *const copy = strdup(words);
    if (!copy)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    for (char *w = strtok_r(copy, " \t\n", &save); w && ret >= 0;
         w = strtok_r(NULL, " \t\n", &save))
        ret = add_mirror(d, provider, w, found);
    free(copy);
    return ret;
}

static int add_provider(struct rp_downloads *d, int provider, const struct rp_opt_strings *mirrors)
{
    bool found = false;
    int ret = add_mirrors(d, provider, mirrors, &found);

    for (size_t i = 0; i < RP_ARRAY_LEN(known_hosts) && ret >= 0 && !found; i++) {
        if ((int) known_hosts[i].provider == provider)
            ret = add_host(d, provider, known_hosts[i].base);
    }
    return ret;
}

int rp_downloads_create(struct rp_downloads **out, const struct rp_download_options *options,
                        rp_download_fn *fn, void *priv)
{
    int ret;
    const char *const off = getenv("REPRISE_OFFLINE");
    struct rp_downloads *const d = *out = calloc(1, sizeof(*d));

    if (!d)
        return rp_fail(RP_ERR_NOMEM, "out of memory");
    pthread_mutex_init(&d->lock, NULL);
    d->fn = fn;
    d->priv = priv;
    d->patience = options->patience;
    d->off = options->offline                       ? "--offline was given"
             : off && *off && strcmp(off, "0") != 0 ? "REPRISE_OFFLINE is set"
                                                    : NULL;
    for (int i = 0; i < options->providers.n; i++)
        RP_TRY(add_provider(d, options->providers.v[i], &options->mirrors));
    RP_TRY(add_provider(d, NPM, &options->mirrors));
    return 0;

fail:
    rp_downloads_destroy(out);
    return ret;
}

void rp_downloads_destroy(struct rp_downloads **downloads)
{
    struct rp_downloads *const d = *downloads;

    if (!d)
        return;
    for (int i = 0; i < d->n_hosts; i++)
        free(d->hosts[i].base);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *downloads = NULL;
}

static bool is_lite(const struct rp_model_entry *entry)
{
    return entry->flags & RP_MODEL_LITE;
}

/* Only Hugging Face has deep swappers, and only the npm registry the lite set. */
static bool offers(const struct rp_host *host, const struct rp_model_entry *entry)
{
    if (is_lite(entry) || host->provider == NPM)
        return is_lite(entry) && host->provider == NPM;
    return entry->kind != RP_KIND_DEEP_SWAPPER || host->provider == HUGGINGFACE;
}

const char *rp_downloads_refuse(const struct rp_downloads *d, const struct rp_model_entry *entry)
{
    if (!d)
        return "downloads are off";
    if (is_lite(entry) && !entry->origin)
        return NULL; /* it is made here */
    if (!is_lite(entry) && !entry->base)
        return "no download provider has it";
    if (d->off)
        return d->off;
    for (int i = 0; i < d->n_hosts; i++) {
        if (offers(&d->hosts[i], entry))
            return NULL;
    }
    return "deep swappers are at Hugging Face only, and --download-providers leaves it out";
}

/* Find out which hosts answer, those of models or of packages: when something is first needed, and
 * again if none did. */
static bool find_hosts(struct rp_downloads *d, bool packages)
{
    int n = 0;
    bool any = false;
    struct rp_http_host probes[MAX_HOSTS];
    struct rp_host *probed[MAX_HOSTS];

    for (int i = 0; i < d->n_hosts; i++) {
        if ((d->hosts[i].provider == NPM) != packages)
            continue;
        any |= !d->hosts[i].away;
        probed[n] = &d->hosts[i];
        probes[n++] = (struct rp_http_host){.url = d->hosts[i].base};
    }
    if (d->probed[packages] > 0 && (any || rp_now() - d->probed[packages] < AGAIN_SECONDS))
        return any;
    rp_http_probe(probes, n, PROBE_SECONDS);
    any = false;
    for (int i = 0; i < n; i++) {
        struct rp_host *const h = probed[i];
        h->away = !probes[i].answers;
        any |= !h->away;
        snprintf(h->problem, sizeof(h->problem), "%s", probes[i].problem);
        if (h->away)
            rp_log(RP_LOG_DEBUG, "%s: %s", h->name, h->problem);
    }
    d->probed[packages] = rp_now();
    return any;
}

/* ---- one file -------------------------------------------------------------------------------- */

static void say_away(const struct rp_downloads *d, bool packages, char *why, size_t size)
{
    const char *between = " (";
    size_t n = (size_t) snprintf(why, size, "no host of models can be reached");

    for (int i = 0; i < d->n_hosts && n < size; i++) {
        if ((d->hosts[i].provider == NPM) != packages)
            continue;
        n += (size_t) snprintf(why + n, size - n, "%s%s: %s", between, d->hosts[i].name,
                               d->hosts[i].problem);
        between = "; ";
    }
    if (n < size)
        snprintf(why + n, size - n, ")");
}

static int get_locked(struct rp_downloads *d, const struct rp_model_entry *entry, const char *path,
                      bool replace, char *why, size_t size)
{
    struct rp_fetch f = {.entry = entry,
                         .path = path,
                         .replace = replace,
                         .patience = d->patience,
                         .fn = d->fn,
                         .priv = d->priv,
                         .why = why,
                         .why_size = size,
                         .package = is_lite(entry) ? entry->origin : NULL,
                         .put = &d->put,
                         .status = RP_ERR_IO};

    if (!find_hosts(d, f.package)) {
        say_away(d, f.package, why, size);
        return RP_ERR_CLOSED;
    }
    int ret = rp_fetch_begin(&f);
    for (int i = 0; i < d->n_hosts && !ret && !f.local_failure; i++) {
        struct rp_host *const h = &d->hosts[i];
        if (!h->away && offers(h, entry) && rp_fetch_from(&f, h))
            ret = 1;
    }
    rp_fetch_end(&f);
    if (!ret && !*why)
        snprintf(why, size, "no host that has it can be reached");
    if (ret > 0)
        return RP_OK;
    return f.passes && !f.local_failure && f.status == RP_ERR_IO ? RP_ERR_AGAIN : f.status;
}

/* A lite model that is in no package. */
static int make(const struct rp_model_entry *entry, const char *path, char *why, size_t size)
{
    rp_log_hold(true);
    const int ret = rp_lite_make(entry, path);
    rp_log_hold(false);
    if (ret < 0)
        snprintf(why, size, "%s", rp_last_error());
    return ret;
}

bool rp_downloads_brought(struct rp_downloads *d, const struct rp_model_entry *entry)
{
    bool brought = false;

    if (!d)
        return false;
    pthread_mutex_lock(&d->lock);
    for (int i = 0; i < d->put.n && !brought; i++) {
        brought = d->put.v[i] == entry;
        if (brought)
            d->put.v[i] = d->put.v[--d->put.n];
    }
    pthread_mutex_unlock(&d->lock);
    return brought;
}

/* The status of a failure too recent to try again. */
static int recall_failure(const struct rp_downloads *d, const struct rp_model_entry *entry,
                          char *why, size_t size)
{
    for (int i = 0; i < MAX_FAILED; i++) {
        if (d->failed[i].entry != entry || rp_now() - d->failed[i].when > AGAIN_SECONDS)
            continue;
        snprintf(why, size, "%s", d->failed[i].why);
        return d->failed[i].status;
    }
    return 0;
}

int rp_downloads_get(struct rp_downloads *d, const struct rp_model_entry *entry, const char *path,
                     bool replace, char *why, size_t size)
{
    pthread_mutex_lock(&d->lock);
    why[0] = '\0';
    int ret = recall_failure(d, entry, why, size);
    if (!ret) {
        ret = is_lite(entry) && !entry->origin ? make(entry, path, why, size)
                                               : get_locked(d, entry, path, replace, why, size);
        if (ret < 0 && ret != RP_ERR_CANCELLED) {
            const int i = d->n_failed++ % MAX_FAILED;
            d->failed[i].entry = entry;
            d->failed[i].when = rp_now();
            d->failed[i].status = ret;
            snprintf(d->failed[i].why, sizeof(d->failed[i].why), "%s", why);
        }
    }
    pthread_mutex_unlock(&d->lock);
    return ret;
}
