/* The text of the synthetic-media mark (mark_text.c), and its fields. */
#ifndef RP_MARK_H
#define RP_MARK_H

#include "media/media.h"

#define RP_MARK_FIELDS 5

struct rp_mark_field {
    char *text;
    size_t size;
};

/* The texts of a mark, in the order of struct rp_mark. */
void rp_mark_fields(struct rp_mark *mark, struct rp_mark_field fields[RP_MARK_FIELDS]);

/* A copy in which mandatory fields are filled in. */
struct rp_mark rp_mark_complete(const struct rp_mark *mark);

/* Fill a mark from XMP text, which need not end in zero. False if there is none. */
bool rp_mark_parse(struct rp_mark *mark, const uint8_t *xmp, size_t size);

#endif /* RP_MARK_H */
