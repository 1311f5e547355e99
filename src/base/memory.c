#include "base/memory.h"

#include <unistd.h>

size_t rp_memory_total(void)
{
    return (size_t) sysconf(_SC_PHYS_PAGES) * (size_t) sysconf(_SC_PAGESIZE);
}
