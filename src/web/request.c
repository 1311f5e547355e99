/* From the calls of libmicrohttpd to one call of a route's function, and back. */
#include "web/server.h"

#include <stdlib.h>

static struct web_request *begin(struct web_server *s, struct MHD_Connection *connection,
                                 const char *url, const char *method)
{
    struct web_request *const r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->server = s;
    r->connection = connection;
    r->url = url;
    r->method = method;
    atomic_fetch_add(&s->requests, 1);
    web_watch_request(s, connection, true);
    return r;
}

static int64_t announced(const struct web_request *r)
{
    const char *const text =
        MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Length");

    return text ? strtoll(text, NULL, 10) : -1;
}

/* What can be told from the head alone, so that no body is read in vain. */
static bool accept_head(struct web_request *r)
{
    /* what is open, or not there at all, tells nothing; below /v1 the key comes before everything
     */
    const bool first = !strncmp(r->url, "/v1/", 4);

    if (!web_guard_host(r) || (first && !web_guard_key(r)) || !web_route(r) ||
        (!first && !r->route->open && !web_guard_key(r)))
        return false;
    switch (r->route->body) {
    case WEB_BODY_FILE:
        return web_upload_begin(r);
    case WEB_BODY_JSON:
    case WEB_BODY_NONE:
        if (announced(r) <= WEB_JSON_MOST)
            return true;
        web_refuse(r, 413, "too_large", "The body has more than %d bytes", WEB_JSON_MOST);
        return false;
    }
    return true;
}

static enum MHD_Result send_answer(struct web_request *r)
{
    return r->answer ? MHD_queue_response(r->connection, r->status, r->answer) : MHD_NO;
}

static bool take_json(struct web_request *r, const char *data, size_t size)
{
    if (r->body_bytes + size > WEB_JSON_MOST) {
        web_refuse(r, 413, "too_large", "The body has more than %d bytes", WEB_JSON_MOST);
        return true;
    }
    char *const grown = realloc(r->body, r->body_bytes + size + 1);

    if (!grown)
        return false;
    memcpy(grown + r->body_bytes, data, size);
    r->body = grown;
    r->body_bytes += size;
    r->body[r->body_bytes] = '\0';
    return true;
}

/* Of a request that is refused the rest is thrown away, so that the client sees why; but not all.
 */
enum { DROPPED_MOST = 16 << 20 };

static bool take_body(struct web_request *r, const char *data, size_t size)
{
    atomic_fetch_add(&r->server->received, (long long) size);
    web_watch_bytes(r->server, r->connection, size);
    if (r->answer) {
        r->dropped += size;
        return r->dropped <= DROPPED_MOST;
    }
    if (r->route->body == WEB_BODY_FILE)
        return web_upload_bytes(r, data, size);
    return take_json(r, data, size);
}

/* JSON_DECODE_ANY is not given: only an object or array is taken. Depth is limited by jansson. */
static bool read_json(struct web_request *r)
{
    json_error_t error;

    if (r->route->body != WEB_BODY_JSON)
        return true;
    r->json = json_loadb(r->body ? r->body : "", r->body ? r->body_bytes : 0,
                         JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(r->json))
        return true;
    web_refuse(r, 400, "not_json", "The body is not a JSON object");
    return false;
}

/* The whole request is there. */
static void run(struct web_request *r)
{
    if (r->route->body == WEB_BODY_FILE)
        web_upload_end(r);
    if (!r->answer && read_json(r))
        r->route->run(r);
}

/* The connection sleeps before another thread may wake it. */
static enum MHD_Result put_aside(struct web_request *r)
{
    MHD_suspend_connection(r->connection);
    if (r->for_preview)
        web_preview_put(r);
    else
        web_desk_put(r);
    return MHD_YES;
}

/* A body that a client may send before it looks at the answer. */
static bool is_short(const struct web_request *r)
{
    return r->answer && announced(r) > 0 && announced(r) <= DROPPED_MOST;
}

enum MHD_Result web_on_request(void *server, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **slot)
{
    struct web_request *r = *slot;

    (void) version;
    if (!r) {
        *slot = r = begin(server, connection, url, method);
        if (!r)
            return MHD_NO;
        return accept_head(r) || is_short(r) ? MHD_YES : send_answer(r);
    }
    if (*size) {
        const bool goes_on = take_body(r, data, *size);

        *size = 0;
        return goes_on ? MHD_YES : MHD_NO;
    }
    if (!r->began) {
        r->began = true;
        web_watch_request(r->server, connection, false);
        if (!r->answer)
            run(r);
        if (!r->answer && (r->work || r->for_preview))
            return put_aside(r);
    }
    return send_answer(r);
}

void web_on_end(void *server, struct MHD_Connection *connection, void **slot,
                enum MHD_RequestTerminationCode code)
{
    struct web_request *const r = *slot;

    (void) code;
    if (!r)
        return;
    web_watch_request(server, connection, false);
    web_upload_drop(r);
    if (r->answer)
        MHD_destroy_response(r->answer);
    json_decref(r->json);
    free(r->body);
    free(r);
    *slot = NULL;
}
