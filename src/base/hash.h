/* Checksums: CRC-32 (zlib's polynomial, FaceFusion's .hash files) and SHA-256 (OpenSSL). */
#ifndef RP_HASH_H
#define RP_HASH_H

#include "base/base.h"

#define RP_SHA256_HEX 65 /* 64 digits and a zero byte */

uint32_t rp_crc32(uint32_t crc, const void *data, size_t size); /* start with crc = 0 */

/* Lower-case hex digits of a file's SHA-256. RP_ERR_IO with a sentence when it cannot be read. */
int rp_sha256_file(const char *path, char hex[RP_SHA256_HEX]);
int rp_sha256_data(const void *data, size_t size, char hex[RP_SHA256_HEX]);
int rp_crc32_file(const char *path, uint32_t *crc);

/* Both sums of a file, which is read once. */
struct rp_sums {
    uint32_t crc32;
    char sha256[RP_SHA256_HEX];
};
int rp_sums_file(const char *path, struct rp_sums *sums);

#endif /* RP_HASH_H */
