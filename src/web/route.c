/* The one table of what is served. */
#include "web/server.h"

#include "web_page.h"

static void get_page(struct web_request *r)
{
    web_answer_static(r, "text/html; charset=utf-8", web_index_html, sizeof(web_index_html));
}

static void get_script(struct web_request *r)
{
    web_answer_static(r, "text/javascript; charset=utf-8", web_app_js, sizeof(web_app_js));
}

static void get_style(struct web_request *r)
{
    web_answer_static(r, "text/css; charset=utf-8", web_app_css, sizeof(web_app_css));
}

/* clang-format off */
const struct web_route web_routes[] = {
    {"GET", "/", "the page", .open = true, .run = get_page},
    {"GET", "/app.js", "its script", .open = true, .run = get_script},
    {"GET", "/app.css", "its style sheet", .open = true, .run = get_style},
    {"GET", "/healthz", "200 while the server works", .open = true, .run = web_get_health},
    {"GET", "/metrics", "numbers for Prometheus", .run = web_get_metrics},
    {"POST", "/v1/session", "a cookie instead of the key, for the page", .run = web_post_session},
    {"GET", "/v1/capabilities", "options, processors, models and commands", .run = web_get_capabilities},
    {"GET", "/v1/openapi.json", "this interface as an OpenAPI document", .run = web_get_openapi},
    {"GET", "/v1/media", "all media", .run = web_get_media},
    {"POST", "/v1/media", "take a picture, video or sound", .body = WEB_BODY_FILE, .run = web_post_media},
    {"GET", "/v1/media/{id}", "what is known of a medium", .run = web_get_medium},
    {"DELETE", "/v1/media/{id}", "remove a medium", .run = web_delete_medium},
    {"GET", "/v1/media/{id}/file", "its file, or a range of it", .run = web_get_medium_file},
    {"GET", "/v1/media/{id}/frame", "a frame as a JPEG", .run = web_get_frame},
    {"GET", "/v1/media/{id}/faces", "the faces of a frame", .run = web_get_faces},
    {"GET", "/v1/media/{id}/faces/{face}", "one of them as a JPEG", .run = web_get_face},
    {"POST", "/v1/preview", "a frame as a job would make it", .body = WEB_BODY_JSON, .run = web_post_preview},
    {"POST", "/v1/live", "begin a live view of a video or camera", .body = WEB_BODY_JSON, .run = web_post_live},
    {"GET", "/v1/live", "all live views, and the cameras there are", .run = web_get_lives},
    {"GET", "/v1/live/{id}", "a live view: state, frames a second, latency", .run = web_get_live},
    {"DELETE", "/v1/live/{id}", "end a live view", .run = web_delete_live},
    {"GET", "/v1/live/{id}/stream", "its pictures as they are made (multipart/x-mixed-replace)", .run = web_get_live_stream},
    {"GET", "/v1/jobs", "all jobs", .run = web_get_jobs},
    {"POST", "/v1/jobs", "put a job into the queue", .body = WEB_BODY_JSON, .run = web_post_job},
    {"GET", "/v1/jobs/{id}", "a job", .run = web_get_job},
    {"DELETE", "/v1/jobs/{id}", "remove a job and its result", .run = web_delete_job},
    {"POST", "/v1/jobs/{id}/cancel", "stop a job", .run = web_cancel_job},
    {"POST", "/v1/jobs/{id}/move", "another place in the queue", .body = WEB_BODY_JSON, .run = web_move_job},
    {"GET", "/v1/jobs/{id}/result", "the file that it made, or a range of it", .run = web_get_result},
    {"GET", "/v1/events", "changes of jobs and downloads as they happen", .run = web_get_events},
    {"GET", "/v1/models", "all models", .run = web_get_models},
    {"POST", "/v1/models/{name}/download", "fetch a model", .run = web_post_download},
    {"GET", "/v1/engine", "what the graph engine does", .run = web_get_engine},
};
/* clang-format on */
const int web_n_routes = sizeof(web_routes) / sizeof(*web_routes);

/* Does the path fit the route's? Its parts are copied. */
static bool fits(const char *path, const char *url, char part[2][WEB_NAME])
{
    int n = 0;

    while (*path && *url) {
        if (*path != '{') {
            if (*path++ != *url++)
                return false;
            continue;
        }
        const size_t length = strcspn(url, "/");

        if (!length || length >= WEB_NAME)
            return false;
        memcpy(part[n], url, length);
        part[n++][length] = '\0';
        url += length;
        path += strcspn(path, "}") + 1;
    }
    return !*path && !*url;
}

bool web_route(struct web_request *r)
{
    const char *const method = !strcmp(r->method, "HEAD") ? "GET" : r->method;
    char allowed[64] = "";

    for (int i = 0; i < web_n_routes; i++) {
        if (!fits(web_routes[i].path, r->url, r->part))
            continue;
        if (!strcmp(web_routes[i].method, method)) {
            r->route = &web_routes[i];
            return true;
        }
        const size_t n = strlen(allowed);
        snprintf(allowed + n, sizeof(allowed) - n, "%s%s", n ? ", " : "", web_routes[i].method);
    }
    if (!*allowed) {
        web_refuse(r, 404, "not_found", "There is nothing at this path");
        return false;
    }
    web_refuse(r, 405, "wrong_method", "This path takes %s", allowed);
    web_header(r, "Allow", allowed);
    return false;
}
