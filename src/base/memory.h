#ifndef RP_BASE_MEMORY_H
#define RP_BASE_MEMORY_H

#include <stddef.h>

/* Bytes of this machine's main memory, used or free. */
size_t rp_memory_total(void);

#endif /* RP_BASE_MEMORY_H */
