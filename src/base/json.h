/* What jansson 2.14 does not do right. */
#ifndef RP_JSON_H
#define RP_JSON_H

#include <jansson.h>

/* A value as text, on the heap; NULL when out of memory or if there is none. Not json_dumps(): where
 * that cannot grow its buffer before a key, it goes on and leaves a quotation mark out.
 * @param flags  of json_dumps() */
char *rp_json_text(const json_t *value, size_t flags);

#endif /* RP_JSON_H */
