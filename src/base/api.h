/* Structs and numbers that pass between a program and the library, which may have been compiled
 * from different versions of the public header.
 *
 * Fields are only ever added at the end of a public struct, so the shorter version is a prefix of
 * the longer one. Copying stops at the end of the shorter version, and fields that one side does
 * not have count as zero, which must be the default of every field. */
#ifndef RP_BASE_API_H
#define RP_BASE_API_H

#include "base/base.h"

/* Fails when the program was compiled with a header newer than this library, or gave no version of
 * ours (0). */
int rp_api_check(int api);

/* The same where there is no version number to check: `size` is the size of the program's struct
 * `name`. */
int rp_api_check_size(const char *name, size_t size, size_t own_size);

/* From the program's struct to ours; NULL counts as all zeros. */
void rp_api_take(void *own, size_t own_size, const void *theirs, size_t size);

/* From ours to the program's; nothing is written beyond `size`. */
void rp_api_give(void *theirs, size_t size, const void *own, size_t own_size);

#endif /* RP_BASE_API_H */
