/* What this server can do, made from the table of options and the table of routes. */
#include "web/server.h"

#include <stdlib.h>

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static const char *type_of(const rp_option_info *o)
{
    return o->is_flag ? "flag" : o->choices ? "choice" : o->is_number ? "number" : "text";
}

static json_t *choices_json(const rp_option_info *o)
{
    json_t *const list = json_array();

    for (const char *const *c = o->choices; *c; c++)
        json_array_append_new(list, json_string(*c));
    return list;
}

static json_t *default_json(const rp_option_info *o)
{
    if (!o->def_text || o->is_flag)
        return json_null();
    if (o->is_number && !o->is_list) {
        char *end = NULL;
        const double v = strtod(o->def_text, &end);

        if (end != o->def_text && !*end)
            return v == (double) (json_int_t) v ? json_integer((json_int_t) v) : json_real(v);
    }
    return json_string(o->def_text);
}

static json_t *option_json(const rp_option_info *o)
{
    json_t *const json =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:b}", "name", o->name, "group", o->group, "type",
                  type_of(o), "help", o->help, "several", o->is_list, "settable",
                  web_option_is_settable(o), "no_effect", o->no_effect);

    if (!json)
        return NULL;
    json_object_set_new(json, "meta", text_or_null(o->meta));
    json_object_set_new(json, "default", default_json(o));
    json_object_set_new(json, "choices", o->choices ? choices_json(o) : json_null());
    if (o->is_number) {
        json_object_set_new(json, "min", json_real(o->min));
        json_object_set_new(json, "max", json_real(o->max));
        json_object_set_new(json, "step", json_real(o->step));
    }
    return json;
}

static json_t *find_group(json_t *groups, const char *name)
{
    json_t *group;
    size_t i;

    json_array_foreach(groups, i, group)
    {
        const char *const other = json_string_value(json_object_get(group, "name"));
        if (other && !strcmp(other, name))
            return group;
    }
    return NULL;
}

static bool is_shown(const rp_option_info *o)
{
    return strcmp(o->group, "app") != 0 && strcmp(o->group, "help") != 0;
}

static json_t *groups_json(const struct web_params *p)
{
    json_t *const groups = json_array();

    for (int i = 0; i < p->n_table; i++) {
        const rp_option_info *const o = &p->table[i];
        json_t *group = find_group(groups, o->group);

        if (!is_shown(o))
            continue;
        if (!group) {
            group = json_pack("{s:s, s:s, s:[]}", "name", o->group, "title", o->title, "options");
            json_array_append_new(groups, group);
        }
        json_array_append_new(json_object_get(group, "options"), json_string(o->name));
    }
    return groups;
}

static json_t *options_json(const struct web_params *p)
{
    json_t *const options = json_array();

    for (int i = 0; i < p->n_table; i++)
        if (is_shown(&p->table[i]))
            json_array_append_new(options, option_json(&p->table[i]));
    return options;
}

/* A processor's options are those whose names begin with its own; its models the choices of one. */
static json_t *processor_json(const struct web_params *p, const char *name)
{
    char prefix[64];
    json_t *const options = json_array();
    json_t *models = NULL;
    const char *title = name;

    snprintf(prefix, sizeof(prefix), "%s-", name);
    for (char *c = prefix; *c; c++)
        if (*c == '_')
            *c = '-';
    for (int i = 0; i < p->n_table; i++) {
        const rp_option_info *const o = &p->table[i];

        if (strncmp(o->name, prefix, strlen(prefix)) != 0)
            continue;
        title = o->title;
        json_array_append_new(options, json_string(o->name));
        if (!models && o->choices && !strcmp(o->name + strlen(prefix), "model"))
            models = choices_json(o);
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", name, "title", title, "help", title,
                     "options", options, "models", models ? models : json_array());
}

static json_t *processors_json(const struct web_params *p)
{
    json_t *const list = json_array();

    for (int i = 0; i < p->n_table; i++)
        if (!strcmp(p->table[i].name, "processors") && p->table[i].choices)
            for (const char *const *c = p->table[i].choices; *c; c++)
                json_array_append_new(list, processor_json(p, *c));
    return list;
}

static json_t *commands_json(const struct web_params *p)
{
    json_t *const list = json_array();

    for (const char *const *c = p->commands; *c; c++)
        json_array_append_new(list, json_string(*c));
    return list;
}

void web_get_capabilities(struct web_request *r)
{
    const struct web_params *const p = r->server->params;
    char *const device = rp_options_text(p->options, "execution-providers");

    web_answer_json(r, 200,
                    json_pack("{s:s, s:i, s:s, s:I, s:i, s:o, s:o, s:o, s:o, s:o}", "version",
                              rp_version(), "api", RP_API_VERSION, "device",
                              device ? device : "cpu", "quota", (json_int_t) p->quota, "kept",
                              WEB_KEPT, "commands", commands_json(p), "processors",
                              processors_json(p), "groups", groups_json(p), "options",
                              options_json(p), "models", web_models(r->server)));
    rp_free(device);
}

/* ---- OpenAPI ---- */

static json_t *schema_of(const rp_option_info *o)
{
    json_t *const one = json_object();

    json_object_set_new(one, "type",
                        json_string(o->is_flag     ? "boolean"
                                    : o->is_number ? "number"
                                                   : "string"));
    if (o->choices)
        json_object_set_new(one, "enum", choices_json(o));
    if (o->is_number && o->max > o->min) {
        json_object_set_new(one, "minimum", json_real(o->min));
        json_object_set_new(one, "maximum", json_real(o->max));
    }
    json_t *const all = o->is_list ? json_pack("{s:s, s:o}", "type", "array", "items", one) : one;
    json_object_set_new(all, "description", json_string(o->help));
    return all;
}

static json_t *wish_schema(const struct web_params *p)
{
    json_t *const options = json_object();

    for (int i = 0; i < p->n_table; i++)
        if (web_option_is_settable(&p->table[i]))
            json_object_set_new(options, p->table[i].name, schema_of(&p->table[i]));
    json_t *const id = json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9a-f]{64}$");
    json_t *const pair =
        json_pack("{s:s, s:{s:O, s:{s:s}, s:{s:s}}}", "type", "object", "properties", "source", id,
                  "face", "type", "integer", "frame", "type", "integer");
    return json_pack("{s:s, s:[s], s:{s:{s:s}, s:{s:s, s:O}, s:o, s:{s:s}, s:{s:s},"
                     " s:{s:s, s:b, s:o}, s:{s:s, s:o}}}",
                     "type", "object", "required", "target", "properties", "name", "type", "string",
                     "sources", "type", "array", "items", id, "target", id, "frame", "type",
                     "integer", "width", "type", "integer", "options", "type", "object",
                     "additionalProperties", 0, "properties", options, "map", "type", "array",
                     "items", pair);
}

/* Of POST /v1/live: a wish, for whose target a camera may stand. */
static json_t *live_schema(const struct web_params *p)
{
    json_t *const schema = wish_schema(p);
    json_t *const properties = json_object_get(schema, "properties");
    json_t *const names = json_array();

    for (int i = 0; i < p->n_cameras; i++)
        json_array_append_new(names,
                              json_stringn(p->cameras[i], strcspn(p->cameras[i], "=")));
    json_object_del(schema, "required");
    json_object_del(properties, "frame");
    json_object_del(properties, "name");
    json_object_set_new(properties, "repeat", json_pack("{s:s}", "type", "boolean"));
    json_object_set_new(properties, "input",
                        json_pack("{s:s, s:o}", "type", "string", "enum", names));
    return schema;
}

static json_t *parameters_json(const char *path)
{
    json_t *const list = json_array();

    for (const char *c = strchr(path, '{'); c; c = strchr(c + 1, '{')) {
        char name[32];

        snprintf(name, sizeof(name), "%.*s", (int) strcspn(c + 1, "}"), c + 1);
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in",
                                              "path", "required", 1, "schema", "type", "string"));
    }
    return list;
}

static json_t *operation_json(const struct web_route *route)
{
    json_t *const json = json_pack("{s:s, s:o, s:{s:{s:s}}}", "summary", route->help, "parameters",
                                   parameters_json(route->path), "responses", "default",
                                   "description", "as docs/api.md says");

    if (route->open)
        json_object_set_new(json, "security", json_array());
    if (route->body == WEB_BODY_JSON)
        json_object_set_new(json, "requestBody",
                            json_pack("{s:{s:{s:{s:s}}}}", "content", "application/json", "schema",
                                      "$ref",
                                      route->run == web_post_live ? "#/components/schemas/live"
                                                                  : "#/components/schemas/wish"));
    if (route->body == WEB_BODY_FILE)
        json_object_set_new(json, "requestBody",
                            json_pack("{s:{s:{s:{s:s, s:s}}}}", "content",
                                      "application/octet-stream", "schema", "type", "string",
                                      "format", "binary"));
    return json;
}

void web_get_openapi(struct web_request *r)
{
    json_t *const paths = json_object();

    for (int i = 0; i < r->server->n_routes; i++) {
        json_t *path = json_object_get(paths, r->server->routes[i].path);
        char method[16];
        size_t n = 0;

        if (!path)
            json_object_set_new(paths, r->server->routes[i].path, path = json_object());
        for (; n < sizeof(method) - 1 && r->server->routes[i].method[n]; n++)
            method[n] = (char) (r->server->routes[i].method[n] | 0x20);
        method[n] = '\0';
        json_object_set_new(path, method, operation_json(&r->server->routes[i]));
    }
    web_answer_json(r, 200,
                    json_pack("{s:s, s:{s:s, s:s}, s:[{s:[]}], s:o, s:{s:{s:{s:s, s:s}}, s:{s:o, s:o}}}",
                              "openapi", "3.1.0", "info", "title", "reprise", "version",
                              rp_version(), "security", "key", "paths", paths, "components",
                              "securitySchemes", "key", "type", "http", "scheme", "bearer",
                              "schemas", "wish", wish_schema(r->server->params), "live",
                              live_schema(r->server->params)));
}
