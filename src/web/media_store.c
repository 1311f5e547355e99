/* Media: files that clients have sent, named by the SHA-256 of their bytes. What a client calls
 * them is shown and never part of a path. */
#include "web/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

struct kept {
    struct web_medium m;
    struct kept *next;
};

struct web_store {
    pthread_mutex_t lock;
    struct kept *first;
    int64_t bytes, incoming; /* of media; of uploads that go on */
};

struct web_upload {
    char path[WEB_PATH], name[WEB_NAME], extension[8];
    int fd;
    int64_t bytes;
    EVP_MD_CTX *hash;
    bool named;
    int files; /* in a form */
};

/* Extensions that are kept, for the few formats whose content does not tell what they are. */
/* clang-format off */
static const struct {
    const char *extension, *type;
} types[] = {
    {"jpg", "image/jpeg"}, {"jpeg", "image/jpeg"}, {"png", "image/png"}, {"webp", "image/webp"},
    {"gif", "image/gif"}, {"bmp", "image/bmp"}, {"tif", "image/tiff"}, {"tiff", "image/tiff"},
    {"avif", "image/avif"}, {"heic", "image/heic"}, {"heif", "image/heif"},
    {"mp4", "video/mp4"}, {"m4v", "video/mp4"}, {"mov", "video/quicktime"},
    {"mkv", "video/x-matroska"}, {"webm", "video/webm"}, {"avi", "video/x-msvideo"},
    {"ts", "video/mp2t"}, {"mpg", "video/mpeg"}, {"mpeg", "video/mpeg"}, {"wmv", "video/x-ms-wmv"},
    {"flv", "video/x-flv"}, {"3gp", "video/3gpp"}, {"ogv", "video/ogg"}, {"mxf", "application/mxf"},
    {"wav", "audio/wav"}, {"mp3", "audio/mpeg"}, {"m4a", "audio/mp4"}, {"aac", "audio/aac"},
    {"flac", "audio/flac"}, {"ogg", "audio/ogg"}, {"opus", "audio/ogg"},
};
/* clang-format on */
enum { TYPES = sizeof(types) / sizeof(*types) };

const char *web_media_type(const char *extension)
{
    for (int i = 0; i < TYPES; i++)
        if (!strcasecmp(types[i].extension, extension))
            return types[i].type;
    return "application/octet-stream";
}

json_t *web_time(int64_t seconds)
{
    char text[32] = "";
    const time_t at = (time_t) seconds;
    struct tm utc;

    if (!seconds || !gmtime_r(&at, &utc))
        return json_null();
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

/* ---- what is kept ---- */

static struct kept *find(struct web_store *st, const char *id)
{
    struct kept *k = st->first;

    while (k && strcmp(k->m.id, id) != 0)
        k = k->next;
    return k;
}

bool web_store_find(struct web_server *s, const char *id, struct web_medium *out)
{
    char path[WEB_PATH];

    pthread_mutex_lock(&s->store->lock);
    const struct kept *const k = find(s->store, id);
    if (k)
        *out = k->m;
    pthread_mutex_unlock(&s->store->lock);
    if (!k)
        return false;
    web_store_path(s, out, path);
    return web_is_file(path);
}

void web_store_path(const struct web_server *s, const struct web_medium *m, char out[WEB_PATH])
{
    web_path(s, out, "media/%s%s%s", m->id, *m->extension ? "." : "", m->extension);
}

int64_t web_store_bytes(struct web_server *s)
{
    pthread_mutex_lock(&s->store->lock);
    const int64_t bytes = s->store->bytes + s->store->incoming;
    pthread_mutex_unlock(&s->store->lock);
    return bytes;
}

int web_store_count(struct web_server *s)
{
    int n = 0;

    pthread_mutex_lock(&s->store->lock);
    for (const struct kept *k = s->store->first; k; k = k->next)
        n++;
    pthread_mutex_unlock(&s->store->lock);
    return n;
}

static json_t *to_json(const struct web_medium *m)
{
    json_t *const json =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:o}", "id", m->id, "name", m->name, "kind",
                  m->kind, "width", m->w, "height", m->h, "frames", (json_int_t) m->frames, "bytes",
                  (json_int_t) m->bytes, "expires", web_time(m->expires));

    if (json) {
        json_object_set_new(json, "fps", json_real(m->fps));
        json_object_set_new(json, "seconds", json_real(m->seconds));
        json_object_set_new(json, "type", json_string(web_media_type(m->extension)));
    }
    return json;
}

/* The file's own record: the same and what is not shown. */
static int save(struct web_server *s, const struct web_medium *m)
{
    char path[WEB_PATH];
    json_t *const json = to_json(m);

    if (json) {
        json_object_set_new(json, "extension", json_string(m->extension));
        json_object_set_new(json, "until", json_integer(m->expires));
    }
    web_path(s, path, "media/%s.json", m->id);
    const int ret = web_save_json(s, path, json);
    json_decref(json);
    return ret;
}

/* Keep it, or a known one longer and under its new name. */
static int keep(struct web_server *s, struct web_medium *m)
{
    struct kept *const fresh = calloc(1, sizeof(*fresh));
    struct kept *k;

    if (!fresh)
        return RP_ERR_NOMEM;
    pthread_mutex_lock(&s->store->lock);
    k = find(s->store, m->id);
    if (k) {
        snprintf(k->m.name, sizeof(k->m.name), "%s", m->name);
        k->m.expires = m->expires;
        *m = k->m;
        free(fresh);
    } else {
        fresh->m = *m;
        fresh->next = s->store->first;
        s->store->first = fresh;
        s->store->bytes += m->bytes;
    }
    pthread_mutex_unlock(&s->store->lock);
    return save(s, m);
}

static void forget(struct web_server *s, const char *id)
{
    char path[WEB_PATH];
    struct kept *gone = NULL;

    pthread_mutex_lock(&s->store->lock);
    for (struct kept **at = &s->store->first; *at && !gone; at = &(*at)->next)
        if (!strcmp((*at)->m.id, id)) {
            gone = *at;
            *at = gone->next;
            s->store->bytes -= gone->m.bytes;
            break;
        }
    pthread_mutex_unlock(&s->store->lock);
    if (!gone)
        return;
    web_store_path(s, &gone->m, path);
    (void) unlink(path);
    web_path(s, path, "media/%s.json", id);
    (void) unlink(path);
    free(gone);
}

static bool is_id(const char *text)
{
    return strspn(text, "0123456789abcdef") == WEB_ID && !text[WEB_ID];
}

static void copy_text(char *out, size_t size, const json_t *json, const char *key)
{
    const char *const text = json_string_value(json_object_get(json, key));

    snprintf(out, size, "%s", text ? text : "");
}

static void load(struct web_server *s, const char *file)
{
    char path[WEB_PATH];
    struct kept *const k = calloc(1, sizeof(*k));
    const size_t n = strlen(file);
    json_t *json = NULL;

    if (k && n == WEB_ID + 5 && !strcmp(file + WEB_ID, ".json")) {
        web_path(s, path, "media/%s", file);
        json = web_load_json(path);
    }
    if (!json) {
        free(k);
        return;
    }
    struct web_medium *const m = &k->m;
    memcpy(m->id, file, WEB_ID);
    copy_text(m->name, sizeof(m->name), json, "name");
    copy_text(m->kind, sizeof(m->kind), json, "kind");
    copy_text(m->extension, sizeof(m->extension), json, "extension");
    m->w = (int) json_integer_value(json_object_get(json, "width"));
    m->h = (int) json_integer_value(json_object_get(json, "height"));
    m->frames = json_integer_value(json_object_get(json, "frames"));
    m->expires = json_integer_value(json_object_get(json, "until"));
    m->fps = json_number_value(json_object_get(json, "fps"));
    m->seconds = json_number_value(json_object_get(json, "seconds"));
    json_decref(json);
    web_store_path(s, m, path);
    if (!is_id(m->id) ||
        strspn(m->extension, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(m->extension) ||
        !web_is_file(path)) {
        free(k);
        return;
    }
    m->bytes = web_file_bytes(path);
    s->store->bytes += m->bytes;
    k->next = s->store->first;
    s->store->first = k;
}

/* What no record names: a server was killed between the two. */
static void sweep(struct web_server *s, const char *file)
{
    char id[WEB_ID + 1], path[WEB_PATH];

    snprintf(id, sizeof(id), "%.*s", WEB_ID, file);
    if (find(s->store, id))
        return;
    web_path(s, path, "media/%s", file);
    (void) unlink(path);
}

int web_store_create(struct web_server *s)
{
    s->store = calloc(1, sizeof(*s->store));
    if (!s->store)
        return RP_ERR_NOMEM;
    pthread_mutex_init(&s->store->lock, NULL);
    s->hooks.find_medium = web_store_find;
    web_each_file(s, "media", load);
    web_each_file(s, "media", sweep);
    return 0;
}

void web_store_destroy(struct web_server *s)
{
    if (!s->store)
        return;
    for (struct kept *k = s->store->first, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    pthread_mutex_destroy(&s->store->lock);
    free(s->store);
    s->store = NULL;
}

void web_store_tick(struct web_server *s)
{
    char id[WEB_ID + 1];
    const int64_t now = time(NULL);
    bool found = true;

    for (int i = 0; found && i < 1000; i++) {
        found = false;
        pthread_mutex_lock(&s->store->lock);
        for (struct kept *k = s->store->first; k && !found; k = k->next) {
            if (k->m.expires > now)
                continue;
            memcpy(id, k->m.id, sizeof(id));
            found = true;
            k->m.expires = now + 60; /* looked at again then, if it is in use */
        }
        pthread_mutex_unlock(&s->store->lock);
        if (found && !s->hooks.uses(s, id))
            forget(s, id);
    }
}

/* ---- what comes in ---- */

/* The last part of a path, without what is not UTF-8. */
static void take_name(struct web_upload *u, const char *name)
{
    const char *last = name;

    for (const char *c = name; *c; c++)
        if (*c == '/' || *c == '\\')
            last = c + 1;
    rp_text_clean(RP_TEXT_UTF8, *last ? last : "file", u->name, sizeof(u->name));
    const char *const dot = strrchr(u->name, '.');
    for (int i = 0; dot && i < TYPES; i++)
        if (!strcasecmp(types[i].extension, dot + 1))
            snprintf(u->extension, sizeof(u->extension), "%s", types[i].extension);
    u->named = true;
}

static int64_t used(struct web_server *s)
{
    return web_store_bytes(s) + s->hooks.result_bytes(s);
}

static void refuse_size(struct web_request *r)
{
    web_refuse(r, 413, "over_quota",
               "The file does not fit into the %lld MiB that this server "
               "keeps; remove media or jobs, or start it with a larger --web-quota",
               (long long) (r->server->params->quota >> 20));
}

static enum MHD_Result take_part(void *priv, enum MHD_ValueKind kind, const char *key,
                                 const char *file, const char *type, const char *encoding,
                                 const char *data, uint64_t offset, size_t size);

static bool open_upload(struct web_request *r, struct web_upload *u)
{
    char name[33];
    const char *const type =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Type");

    if (type && !strncasecmp(type, "multipart/", 10) &&
        (strncasecmp(type, "multipart/form-data", 19) != 0 ||
         !(r->form = MHD_create_post_processor(r->connection, 65536, take_part, r)))) {
        web_refuse(r, 400, "not_a_form", "The body is not multipart/form-data with a boundary");
        return false;
    }
    web_random_name(name, 32);
    web_path(r->server, u->path, "part/%s", name);
    u->fd = open(u->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    u->hash = EVP_MD_CTX_new();
    if (u->fd < 0 || !u->hash || !EVP_DigestInit_ex(u->hash, EVP_sha256(), NULL)) {
        web_refuse(r, 503, "try_again", "The file cannot be stored: %s", strerror(errno));
        return false;
    }
    return true;
}

bool web_upload_begin(struct web_request *r)
{
    const char *const name =
        MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, "name");
    const char *const length =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Length");
    struct web_upload *const u = r->upload = calloc(1, sizeof(*u));

    if (!u)
        return false;
    u->fd = -1;
    if (length && strtoll(length, NULL, 10) > r->server->params->quota - used(r->server)) {
        refuse_size(r);
        return false;
    }
    take_name(u, name ? name : "");
    u->named = name != NULL;
    return open_upload(r, u);
}

static bool store(struct web_request *r, const char *data, size_t size)
{
    struct web_upload *const u = r->upload;
    struct web_store *const st = r->server->store;

    if (r->answer)
        return true; /* refused within this part of a form */
    if (used(r->server) + (int64_t) size > r->server->params->quota) {
        refuse_size(r);
        return true;
    }
    pthread_mutex_lock(&st->lock);
    st->incoming += (int64_t) size;
    pthread_mutex_unlock(&st->lock);
    u->bytes += (int64_t) size;
    EVP_DigestUpdate(u->hash, data, size);
    while (size) {
        const ssize_t n = write(u->fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            web_refuse(r, errno == ENOSPC ? 507 : 503, "try_again", "The file cannot be stored: %s",
                       strerror(errno));
            return true;
        }
        data += n;
        size -= (size_t) n;
    }
    return true;
}

/* The first file of a form counts; a second one is a mistake that is told. */
static enum MHD_Result take_part(void *priv, enum MHD_ValueKind kind, const char *key,
                                 const char *file, const char *type, const char *encoding,
                                 const char *data, uint64_t offset, size_t size)
{
    struct web_request *const r = priv;
    struct web_upload *const u = r->upload;

    (void) kind, (void) key, (void) type, (void) encoding;
    if (!file)
        return MHD_YES; /* a field */
    if (offset == 0 && ++u->files == 1 && !u->named)
        take_name(u, file);
    if (u->files == 1)
        (void) store(r, data, size);
    return MHD_YES;
}

bool web_upload_bytes(struct web_request *r, const char *data, size_t size)
{
    if (!r->form)
        return store(r, data, size);
    if (MHD_post_process(r->form, data, size) != MHD_YES && !r->answer)
        web_refuse(r, 400, "not_a_form", "The body is not the form that its head says");
    return true;
}

void web_upload_end(struct web_request *r)
{
    struct web_upload *const u = r->upload;

    if (r->form) {
        const bool complete = MHD_destroy_post_processor(r->form) == MHD_YES;

        r->form = NULL;
        if (!r->answer && (!complete || u->files != 1))
            web_refuse(r, 400, "not_a_form",
                       complete ? "A form has one file; this one has %d"
                                : "The form is cut short after %d files",
                       u->files);
    }
    if (!r->answer && u->bytes == 0)
        web_refuse(r, 400, "empty", "The file is empty");
}

void web_upload_drop(struct web_request *r)
{
    struct web_upload *const u = r->upload;

    if (r->form)
        MHD_destroy_post_processor(r->form);
    r->form = NULL;
    if (!u)
        return;
    pthread_mutex_lock(&r->server->store->lock);
    r->server->store->incoming -= u->bytes;
    pthread_mutex_unlock(&r->server->store->lock);
    if (u->fd >= 0) {
        close(u->fd);
        (void) unlink(u->path); /* unless it has its place by now */
    }
    EVP_MD_CTX_free(u->hash);
    free(u);
    r->upload = NULL;
}

/* ---- requests ---- */

static void hash_id(struct web_upload *u, char id[WEB_ID + 1])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    EVP_DigestFinal_ex(u->hash, sum, &n);
    for (unsigned i = 0; i < n && 2 * i < WEB_ID; i++)
        snprintf(id + (size_t) 2 * i, 3, "%02x", sum[i]);
}

static int look(struct web_upload *u, struct web_medium *m)
{
    static const char *const kinds[] = {
        [RP_FILE_IMAGE] = "image", [RP_FILE_VIDEO] = "video", [RP_FILE_SOUND] = "sound"};
    rp_file_info info;
    const int ret = rp_file_look(u->path, &info);

    if (ret < 0)
        return ret;
    snprintf(m->kind, sizeof(m->kind), "%s", kinds[info.kind]);
    m->w = info.w;
    m->h = info.h;
    m->fps = info.fps;
    m->frames = info.frames;
    m->seconds = info.seconds;
    m->bytes = u->bytes;
    return 0;
}

/* Some formats are known by their extension only: the file gets it before it is looked at. */
static void add_extension(struct web_upload *u)
{
    char path[WEB_PATH + 16];

    snprintf(path, sizeof(path), "%s.%s", u->path, u->extension);
    if (*u->extension && strlen(path) < WEB_PATH && rename(u->path, path) == 0)
        memcpy(u->path, path, strlen(path) + 1);
}

static void take_in(struct web_request *r)
{
    struct web_upload *const u = r->upload;
    struct web_medium m = {.expires = time(NULL) + WEB_KEPT};
    char path[WEB_PATH], location[WEB_ID + 16];
    int ret;

    hash_id(u, m.id);
    snprintf(m.name, sizeof(m.name), "%s", u->name);
    snprintf(m.extension, sizeof(m.extension), "%s", u->extension);
    struct web_medium known;
    if (!web_store_find(r->server, m.id, &known)) {
        add_extension(u);
        if ((ret = look(u, &m)) < 0) {
            web_fail(r, ret);
            return;
        }
        web_store_path(r->server, &m, path);
        if (fsync(u->fd) != 0 || rename(u->path, path) != 0) {
            web_refuse(r, 503, "try_again", "The file cannot be stored: %s", strerror(errno));
            return;
        }
    }
    if (keep(r->server, &m) < 0) {
        web_refuse(r, 503, "try_again", "The file cannot be stored");
        return;
    }
    web_answer_json(r, 201, to_json(&m));
    snprintf(location, sizeof(location), "/v1/media/%s", m.id);
    web_header(r, "Location", location);
}

void web_post_media(struct web_request *r)
{
    r->work = take_in;
}

void web_get_media(struct web_request *r)
{
    json_t *const list = json_array();

    pthread_mutex_lock(&r->server->store->lock);
    for (const struct kept *k = r->server->store->first; k; k = k->next)
        json_array_append_new(list, to_json(&k->m));
    pthread_mutex_unlock(&r->server->store->lock);
    web_answer_json(r, 200, json_pack("{s:o}", "media", list));
}

static bool get(struct web_request *r, struct web_medium *m)
{
    if (web_store_find(r->server, r->part[0], m))
        return true;
    web_refuse(r, 404, "no_medium", "There is no medium of this id; media are kept for %d hours",
               WEB_KEPT / 3600);
    return false;
}

void web_get_medium(struct web_request *r)
{
    struct web_medium m;

    if (get(r, &m))
        web_answer_json(r, 200, to_json(&m));
}

void web_get_medium_file(struct web_request *r)
{
    struct web_medium m;
    char path[WEB_PATH];

    if (!get(r, &m))
        return;
    web_store_path(r->server, &m, path);
    web_answer_file(r, path, web_media_type(m.extension), m.name);
}

void web_delete_medium(struct web_request *r)
{
    struct web_medium m;

    if (!get(r, &m))
        return;
    if (r->server->hooks.uses(r->server, m.id)) {
        web_refuse(r, 409, "in_use", "A job that has not ended uses this medium");
        return;
    }
    forget(r->server, m.id);
    web_answer_nothing(r);
}
