/* What the files of this folder share.
 *
 * Threads: one thread of libmicrohttpd (0.9.75) reads and answers all requests and never does work
 * that takes long; what does runs on the desk (pictures, faces), the preview's thread or the
 * queue's, while the connection is suspended. The main thread watches the clock. */
#ifndef WEB_SERVER_H
#define WEB_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <microhttpd.h>

#include "base/json.h"
#include "web/web.h"

#define WEB_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum {
    WEB_ID = 64,    /* letters of a medium's id: SHA-256 in hex */
    WEB_NAME = 256, /* room for a name from a client */
    WEB_PATH = 4096,
    WEB_JSON_MOST = 1 << 20, /* bytes of a JSON body */
    WEB_CONNECTIONS = 1000,
    WEB_PATIENCE = 30,    /* seconds that a client may be slow */
    WEB_KEPT = 24 * 3600, /* seconds that media and results are kept */
};

struct web_request;
struct web_server;
struct web_store;
struct web_queue;
struct web_events;
struct web_preview;
struct web_live;
struct web_desk;
struct web_fetcher;
struct web_medium;

/* Failures of this folder beside those of the library. */
enum {
    WEB_GONE = -1001,    /* a medium is no longer here */
    WEB_NO_FACE = -1002, /* the frame has no face of this number */
    WEB_STALE = -1003,   /* an option that cannot be set, from a file of the queue */
};

enum web_body { WEB_BODY_NONE, WEB_BODY_JSON, WEB_BODY_FILE };

/* A row of the one table of what is served. */
struct web_route {
    const char *method, *path; /* {id} and the like take one part of a path */
    const char *help;          /* for the description of the interface */
    bool open;                 /* needs no key */
    enum web_body body;
    void (*run)(struct web_request *r);
};

/* Lasts until libmicrohttpd says that the request is over. */
struct web_request {
    struct web_server *server;
    struct MHD_Connection *connection;
    const struct web_route *route;
    const char *method, *url; /* of libmicrohttpd, valid as long as the request */
    char part[2][WEB_NAME];   /* what {} in the route's path took */
    bool by_cookie;           /* the page's, not a program's */
    bool began;
    char *body; /* JSON, zero-terminated */
    size_t body_bytes, dropped;
    json_t *json; /* the body, an object */
    struct web_upload *upload;
    struct MHD_PostProcessor *form;
    struct MHD_Response *answer;
    unsigned status;
    void (*work)(struct web_request *r); /* set: the desk is to call it */
    bool for_preview;                    /* set: it is put into the preview's place */
    struct web_request *next;            /* in the desk's line */
};

/* What files further down need of those above them, which set it when they are created. */
struct web_hooks {
    bool (*find_medium)(struct web_server *s, const char *id, struct web_medium *out);
    bool (*uses)(struct web_server *s, const char *media_id); /* does a job that has not ended? */
    int64_t (*result_bytes)(struct web_server *s);
    json_t *(*jobs)(struct web_server *s);
};

struct web_server {
    const struct web_params *params;
    struct MHD_Daemon *daemon;
    rp_runtime *runtime;
    char folder[WEB_PATH];
    char key[48], cookie[48]; /* base64url of 32 random bytes each */
    char cookie_name[32];     /* of this server alone */
    int port, lock;           /* lock: file that says that the folder is in use */
    bool tls;
    time_t began;
    struct web_store *store;
    struct web_queue *queue;
    struct web_events *events;
    struct web_preview *preview;
    struct web_live *live;
    struct web_desk *desk;
    struct web_fetcher *fetcher;
    struct web_watch *watch;
    struct web_hooks hooks;
    const struct web_route *routes;
    int n_routes;
    atomic_bool stopping;
    atomic_llong requests, refused, received, previews;
};

/* ---- answer.c ---- */

/* Any response, which is taken over, with the header lines that all have. */
void web_answer(struct web_request *r, unsigned status, struct MHD_Response *response,
                const char *type);

/* Answers take over the JSON; without memory the connection ends. Each is the request's only one.
 */
void web_answer_json(struct web_request *r, unsigned status, json_t *json);
#define WEB_JSON_LINE (JSON_COMPACT | JSON_REAL_PRECISION(9))
void web_answer_text(struct web_request *r, const char *type, char *text); /* takes the text over */
void web_answer_static(struct web_request *r, const char *type, const void *data, size_t size);
void web_answer_nothing(struct web_request *r); /* 204 */

/* A file, or the part of it that the request's Range asks for. `name`: shown as the download's, or
 * NULL. A link is not followed. */
void web_answer_file(struct web_request *r, const char *path, const char *type, const char *name);

/* {"error": {...}}; a sentence without the full stop of another. Logs what is refused, each code at
 * most once in ten seconds. */
void web_refuse(struct web_request *r, unsigned status, const char *code, const char *fmt, ...)
    WEB_PRINTF(4, 5);

/* The same for a failure of the library on this thread: rp_last_error() without this machine's
 * paths. */
void web_fail(struct web_request *r, int ret);
void web_failure_text(struct web_server *s, int ret, char *out, size_t size);
const char *web_failure_code(int ret);

/* One more header line of the answer. */
void web_header(struct web_request *r, const char *name, const char *value);

/* A number of the query within bounds; `otherwise` if it is not there. False: answered. */
bool web_query_number(struct web_request *r, const char *name, int64_t least, int64_t most,
                      int64_t otherwise, int64_t *out);

/* The answer is there: go on with the connection. From any thread. */
void web_request_done(struct web_request *r);

/* ---- guard.c ---- */

int web_guard_keys(struct web_server *s);

/* Once it listens: browsers send a host's cookies to all of its ports, so the name tells whose it is. */
int web_guard_cookie(struct web_server *s);

/* Host and Origin. False: answered. */
bool web_guard_host(struct web_request *r);

/* Key or cookie, and for a change by cookie the page's header. False: answered. */
bool web_guard_key(struct web_request *r);

/* Sets the page's cookie. */
void web_post_session(struct web_request *r);

/* Ends connections whose clients are slow. */
int web_watch_create(struct web_server *s);
void web_watch_destroy(struct web_server *s);
void web_watch_connection(void *server, struct MHD_Connection *connection, void **priv,
                          enum MHD_ConnectionNotificationCode code);
void web_watch_request(struct web_server *s, struct MHD_Connection *connection, bool begins);
void web_watch_bytes(struct web_server *s, struct MHD_Connection *connection, size_t bytes);
void web_watch_tick(struct web_server *s);

/* ---- route.c ---- */

extern const struct web_route web_routes[];
extern const int web_n_routes;

/* Sets the request's route and parts. False: answered. */
bool web_route(struct web_request *r);

/* ---- request.c ---- */

enum MHD_Result web_on_request(void *server, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **slot);
void web_on_end(void *server, struct MHD_Connection *connection, void **slot,
                enum MHD_RequestTerminationCode code);

/* ---- desk.c: threads for what takes long ---- */

int web_desk_create(struct web_server *s);
void web_desk_stop(struct web_server *s); /* refuses from then on */
void web_desk_destroy(struct web_server *s);
void web_desk_put(struct web_request *r); /* calls r->work, then web_request_done() */

/* ---- folder.c: files of the server's folder ---- */

int web_folder_open(struct web_server *s);
void web_folder_close(struct web_server *s);
void web_path(const struct web_server *s, char out[WEB_PATH], const char *fmt, ...)
    WEB_PRINTF(3, 4);
bool web_is_file(const char *path); /* a file of its own: no link, no folder */
int64_t web_file_bytes(const char *path);
int web_save_json(const struct web_server *s, const char *path, const json_t *json);
json_t *web_load_json(const char *path);
int web_copy_file(const struct web_server *s, const char *from, const char *to);
void web_random_name(char *out, int letters);
/* Call fn for each file name of a folder. */
void web_each_file(struct web_server *s, const char *folder,
                   void (*fn)(struct web_server *s, const char *name));

/* ---- media_store.c ---- */

struct web_medium {
    char id[WEB_ID + 1], name[WEB_NAME], extension[8];
    char kind[8]; /* image, video, sound */
    int w, h;
    double fps, seconds;
    int64_t frames, bytes;
    int64_t expires; /* seconds since 1970 */
};

int web_store_create(struct web_server *s);
void web_store_destroy(struct web_server *s);
bool web_store_find(struct web_server *s, const char *id, struct web_medium *out);
void web_store_path(const struct web_server *s, const struct web_medium *m, char out[WEB_PATH]);
int64_t web_store_bytes(struct web_server *s);
int web_store_count(struct web_server *s);
void web_store_tick(struct web_server *s); /* removes what has expired */
const char *web_media_type(const char *extension);
json_t *web_time(int64_t seconds); /* ISO 8601 */

/* What comes in. `name` may be NULL. False: answered, or the connection must end. */
bool web_upload_begin(struct web_request *r);
bool web_upload_bytes(struct web_request *r, const char *data, size_t size);
void web_upload_end(struct web_request *r);
void web_upload_drop(struct web_request *r);

void web_get_media(struct web_request *r);
void web_post_media(struct web_request *r);
void web_get_medium(struct web_request *r);
void web_delete_medium(struct web_request *r);
void web_get_medium_file(struct web_request *r);

/* ---- options.c ---- */

/* Is a client allowed to set it? */
bool web_option_is_settable(const rp_option_info *info);

const rp_option_info *web_option_find(const struct web_server *s, const char *name);

/* A copy of what the command line has set. */
int web_options_base(struct web_server *s, rp_options **out);

/* ---- look.c: frames and faces of media ---- */

void web_get_frame(struct web_request *r);
void web_get_faces(struct web_request *r);
void web_get_face(struct web_request *r);

/* The file of the crop of a face; made if it is not there. 0 or an rp_status. */
int web_face_crop(struct web_server *s, const struct web_medium *m, int64_t frame, int face,
                  char path[WEB_PATH]);
void web_look_tick(struct web_server *s);

/* ---- wish.c: from a client's JSON to options ---- */

/* Checks sources, target, options and map of the request's JSON without any work. False: answered.
 */
bool web_wish_check(struct web_request *r);

/* The same for a camera, which has neither target nor map. */
bool web_wish_check_sources(struct web_request *r);

/* The options of such a JSON, with sources and target; *out to be destroyed. `references`: folder
 * and beginning of the names of crops for the map to be copied to, or NULL: they stay where they
 * are. */
int web_wish_options(struct web_server *s, const json_t *wish, const char *references,
                     rp_options **out);

/* Does the JSON use this medium? */
bool web_wish_uses(const json_t *wish, const char *id);

/* ---- plan.c ---- */

/* Adds nodes, networks, lists and their memory, if they can be found out. `references` as above. */
void web_plan_add(struct web_server *s, const json_t *wish, const char *references, json_t *out);

/* ---- preview.c ---- */

int web_preview_create(struct web_server *s);
void web_preview_stop(struct web_server *s); /* refuses from then on */
void web_preview_destroy(struct web_server *s);
void web_preview_put(struct web_request *r);
void web_post_preview(struct web_request *r);

/* ---- live.c ---- */

int web_live_create(struct web_server *s);
void web_live_stop(struct web_server *s); /* all streams end */
void web_live_destroy(struct web_server *s);
void web_live_tick(struct web_server *s); /* ends those that nobody looks at */
void web_post_live(struct web_request *r);
void web_get_lives(struct web_request *r);
void web_get_live(struct web_request *r);
void web_delete_live(struct web_request *r);
void web_get_live_stream(struct web_request *r);

/* ---- queue.c ---- */

int web_queue_create(struct web_server *s);
void web_queue_destroy(struct web_server *s);
int64_t web_queue_bytes(struct web_server *s); /* of results */
void web_queue_tick(struct web_server *s);
json_t *web_queue_engine(struct web_server *s);
void web_queue_counts(struct web_server *s, int64_t counts[5], int64_t *frames);
void web_post_job(struct web_request *r);
void web_get_jobs(struct web_request *r);
void web_get_job(struct web_request *r);
void web_cancel_job(struct web_request *r);
void web_move_job(struct web_request *r);
void web_delete_job(struct web_request *r);
void web_get_result(struct web_request *r);

/* ---- events.c ---- */

int web_events_create(struct web_server *s);
void web_events_stop(struct web_server *s); /* all streams end */
void web_events_destroy(struct web_server *s);
void web_events_put(struct web_server *s, const char *event,
                    json_t *data); /* takes over the data */
void web_events_tick(struct web_server *s);
void web_get_events(struct web_request *r);

/* ---- capabilities.c ---- */

void web_get_capabilities(struct web_request *r);
void web_get_openapi(struct web_request *r);

/* ---- state.c: models, engine, numbers ---- */

int web_fetcher_create(struct web_server *s);
void web_fetcher_destroy(struct web_server *s);
int web_on_download(void *server, const rp_download *download);
json_t *web_models(struct web_server *s);
void web_get_models(struct web_request *r);
void web_post_download(struct web_request *r);
void web_get_engine(struct web_request *r);
void web_get_metrics(struct web_request *r);
void web_get_health(struct web_request *r);

#endif /* WEB_SERVER_H */
