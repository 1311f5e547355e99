#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <zlib.h>

enum { CHUNK = 1 << 18 };

/* Takes the next piece of a file. */
typedef int piece_fn(void *priv, const void *data, size_t size);

static int each_piece(const char *path, piece_fn *fn, void *priv)
{
    int ret = 0;
    char *const buffer = malloc(CHUNK);
    const int fd = buffer ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (!buffer)
        return rp_fail(RP_ERR_NOMEM, "%s: out of memory", path);
    if (fd < 0) {
        ret = rp_fail(rp_io_status(errno), "%s: %s", path, strerror(errno));
        goto done;
    }
    while (!ret) {
        const ssize_t n = read(fd, buffer, CHUNK);
        if (n > 0)
            ret = fn(priv, buffer, (size_t) n);
        else if (n == 0)
            break;
        else if (errno != EINTR)
            ret = rp_fail(rp_io_status(errno), "%s: reading: %s", path, strerror(errno));
    }
    close(fd);
done:
    free(buffer);
    return ret;
}

uint32_t rp_crc32(uint32_t crc, const void *data, size_t size)
{
    /* for a NULL buffer zlib returns its initial value instead of `crc` */
    return size ? (uint32_t) crc32_z(crc, data, size) : crc;
}

static int crc_piece(void *priv, const void *data, size_t size)
{
    uint32_t *const crc = priv;

    *crc = rp_crc32(*crc, data, size);
    return 0;
}

int rp_crc32_file(const char *path, uint32_t *crc)
{
    *crc = 0;
    return each_piece(path, crc_piece, crc);
}

/* OpenSSL says no more than that it failed. It has SHA-256 unless it was short of memory when it
 * began, perhaps long ago. */
static int sha_fail(const char *how)
{
    if (errno == ENOMEM)
        return rp_fail(RP_ERR_NOMEM, "SHA-256: out of memory");
    return rp_fail(RP_ERR_NOMEM, "SHA-256: OpenSSL %s, as when memory was short as it began", how);
}

static int sha_begin(EVP_MD_CTX **ctx)
{
    errno = 0;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    if (!OSSL_LIB_CTX_get0_global_default()) /* it could not begin, and would crash */
        return rp_fail(RP_ERR_NOMEM, "SHA-256: out of memory");
#endif
    *ctx = EVP_MD_CTX_new();
    if (!*ctx)
        return rp_fail(RP_ERR_NOMEM, "SHA-256: out of memory");
    if (!EVP_DigestInit_ex(*ctx, EVP_sha256(), NULL))
        return sha_fail("refuses it");
    return 0;
}

static int sha_piece(void *priv, const void *data, size_t size)
{
    EVP_MD_CTX *const ctx = priv;

    errno = 0;
    if (!EVP_DigestUpdate(ctx, data, size))
        return sha_fail("failed");
    return 0;
}

static int sha_end(EVP_MD_CTX *ctx, char hex[RP_SHA256_HEX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    errno = 0;
    if (!EVP_DigestFinal_ex(ctx, sum, &size) || size * 2 + 1 != RP_SHA256_HEX)
        return sha_fail("failed");
    for (unsigned i = 0; i < size; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    hex[2 * size] = '\0';
    return 0;
}

int rp_sha256_file(const char *path, char hex[RP_SHA256_HEX])
{
    int ret;
    EVP_MD_CTX *ctx = NULL;

    hex[0] = '\0';
    RP_TRY(sha_begin(&ctx));
    RP_TRY(each_piece(path, sha_piece, ctx));
    ret = sha_end(ctx, hex);
fail:
    EVP_MD_CTX_free(ctx);
    return ret;
}

int rp_sha256_data(const void *data, size_t size, char hex[RP_SHA256_HEX])
{
    int ret;
    EVP_MD_CTX *ctx = NULL;

    hex[0] = '\0';
    RP_TRY(sha_begin(&ctx));
    RP_TRY(sha_piece(ctx, data, size));
    ret = sha_end(ctx, hex);
fail:
    EVP_MD_CTX_free(ctx);
    return ret;
}

struct both {
    EVP_MD_CTX *ctx;
    uint32_t crc;
};

static int both_piece(void *priv, const void *data, size_t size)
{
    struct both *const b = priv;

    b->crc = rp_crc32(b->crc, data, size);
    return sha_piece(b->ctx, data, size);
}

int rp_sums_file(const char *path, struct rp_sums *sums)
{
    int ret;
    struct both b = {0};

    *sums = (struct rp_sums){0};
    RP_TRY(sha_begin(&b.ctx));
    RP_TRY(each_piece(path, both_piece, &b));
    sums->crc32 = b.crc;
    ret = sha_end(b.ctx, sums->sha256);
fail:
    EVP_MD_CTX_free(b.ctx);
    return ret;
}
