/* What is done with a frame, in numbers: the lists that the engine records once and replays. */
#include "web/server.h"

static void add_totals(const json_t *lists, json_t *out)
{
    const json_t *list;
    size_t i;
    json_int_t nodes = 0, networks = 0, memory = 0;

    json_array_foreach(lists, i, list)
    {
        const json_t *const totals = json_object_get(list, "totals");
        const json_int_t bytes = json_integer_value(json_object_get(totals, "memory"));

        networks += json_integer_value(json_object_get(totals, "networks"));
        nodes += json_integer_value(json_object_get(totals, "operations"));
        memory = bytes > memory ? bytes : memory; /* the lists share it */
    }
    json_object_set_new(out, "nodes", json_integer(nodes + networks));
    json_object_set_new(out, "networks", json_integer(networks));
    json_object_set_new(out, "lists", json_integer((json_int_t) json_array_size(lists)));
    json_object_set_new(out, "list_memory", json_integer(memory));
}

void web_plan_add(struct web_server *s, const json_t *wish, const char *references, json_t *out)
{
    rp_options *options = NULL;
    char *text = NULL;
    int ret = web_wish_options(s, wish, references, &options);

    if (ret >= 0)
        ret = rp_plan_show(s->runtime, options, true, &text);
    json_t *const plan = ret >= 0 ? json_loads(text, 0, NULL) : NULL;
    if (plan)
        add_totals(json_object_get(plan, "lists"), out);
    json_decref(plan);
    rp_free(text);
    rp_options_destroy(&options);
}
