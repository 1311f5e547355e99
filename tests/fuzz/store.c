/* What lies beside models and in the user's cache, and what servers say before a file comes. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/path.h"
#include "engine/cache.h"
#include "fuzz.h"
#include "models/custom.h"
#include "models/http.h"
#include "models/memory.h"
#include "models/store.h"
#include "pipeline/journal.h"

static const char *put_entry(const char *key, const char *ext, const void *data, size_t size)
{
    char hex[RP_SHA256_HEX], name[64];

    fuzz_must(rp_sha256_data(key, strlen(key), hex) >= 0);
    snprintf(name, sizeof(name), "%.32s.%s", hex, ext);
    return fuzz_file(name, data, size);
}

/* An entry of the cache, and one that says which file belongs to a key: they are given back only
 * under their own key, and can be made again. */
void fuzz_cache(const uint8_t *data, size_t size)
{
    static const char key[] = "fuzz", file_key[] = "file fuzz";
    struct rp_cache *cache = NULL;
    json_t *const own = json_pack("{s:i}", "slots", 4);

    fuzz_must(own && rp_cache_open(&cache, fuzz_path(".")) >= 0);
    put_entry(key, "json", data, size);
    put_entry(file_key, "json", data, size);
    const char *const model = put_entry(key, "onnx", "model", 5);
    json_t *const value = rp_cache_get(cache, key);
    fuzz_must(!value || memmem(data, size, "fuzz", 4) || memmem(data, size, "\\u", 2));
    json_integer_value(json_object_get(value, "slots"));
    json_decref(value);
    char *const path = rp_cache_file(cache, key);
    fuzz_must(!path || !strcmp(rp_path_base(path), rp_path_base(model)));
    free(path);
    rp_cache_put(cache, key, own);
    json_t *const again = rp_cache_get(cache, key);
    fuzz_must(json_equal(own, again));
    json_decref(again);
    json_decref(own);
    rp_cache_close(&cache);
}

/* A model that has not changed for a while; how its line in the memory of sums begins and ends. */
static const char *old_model(char *state, size_t size)
{
    static char path[400];
    struct stat st;
    const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    if (!path[0]) {
        snprintf(path, sizeof(path), "%s", fuzz_file("model.onnx", "model", 5));
        fuzz_must(!utimensat(AT_FDCWD, path, old, 0));
    }
    fuzz_must(!stat(path, &st));
    snprintf(state, size, "%lld %lld.%09ld", (long long) st.st_size, (long long) st.st_mtim.tv_sec,
             st.st_mtim.tv_nsec);
    return path;
}

/* The memory of sums; the bytes 1 and 2 stand for what it holds of a model. Whatever is in it, sums
 * look like sums, and what is kept is found again. */
void fuzz_sums(const uint8_t *data, size_t size)
{
    char state[64], *text = NULL;
    size_t n = 0;
    struct rp_sums sums, again, kept = {.crc32 = 1};
    const char *const path = old_model(state, sizeof(state));
    FILE *const f = open_memstream(&text, &n);

    fuzz_must(f);
    for (size_t i = 0; i < size; i++)
        if (data[i] == 1 || data[i] == 2)
            fputs(data[i] == 1 ? state : path, f);
        else
            putc(data[i], f);
    fuzz_must(!fclose(f));
    fuzz_file("reprise/model-sums.txt", text, n);
    free(text);
    fuzz_must(rp_memory_sums(path, false, &sums) >= 0);
    fuzz_must(strspn(sums.sha256, "0123456789abcdef") == RP_SHA256_HEX - 1);
    memset(kept.sha256, 'a', RP_SHA256_HEX - 1);
    rp_memory_keep(path, &kept);
    fuzz_must(rp_memory_sums(path, false, &again) >= 0);
    fuzz_must(again.crc32 == 1 && !strcmp(again.sha256, kept.sha256));
}

/* The .hash file beside a model of which nothing else is known. */
void fuzz_hash(const uint8_t *data, size_t size)
{
    static const uint8_t model[] = "a model";
    static struct rp_store *store;
    const struct rp_model_entry *const entry = rp_catalogue_find(RP_KIND_FACE_DETECTOR, "yunet");
    char right[9];

    if (!store)
        fuzz_must(rp_store_create(&store, fuzz_path(".")) >= 0);
    fuzz_must(entry && entry->file);
    fuzz_file(entry->file, model, sizeof(model));
    fuzz_file("yunet_2023_mar.hash", data, size);
    snprintf(right, sizeof(right), "%08x", rp_crc32(0, model, sizeof(model)));
    const int ret = rp_store_verify(store, entry);
    fuzz_must(ret == RP_OK || ret == RP_ERR_MODEL);
    fuzz_must((ret == RP_OK) == (size == 8 && !strncasecmp((const char *) data, right, 8)));
}

/* Lines of the header of a reply. */
void fuzz_headers(const uint8_t *data, size_t size)
{
    struct rp_http_reply reply = {.total = -1};

    for (size_t at = 0; at < size;) {
        const uint8_t *const end = memchr(data + at, '\n', size - at);
        const size_t n = end ? (size_t) (end - data) + 1 - at : size - at;

        rp_http_header(&reply, (const char *) data + at, n);
        fuzz_must(reply.first >= 0 && reply.total >= -1);
        fuzz_must(memchr(reply.validator, 0, sizeof(reply.validator)));
        at += n;
    }
}

static int check_name(void *priv, const struct rp_model_entry *entry)
{
    const struct rp_model_entry *same = NULL;
    char shown[2 * RP_CUSTOM_NAME];

    rp_text_clean(RP_TEXT_TERMINAL, entry->name, shown, sizeof(shown));
    fuzz_must(!strcmp(shown, entry->name));
    fuzz_must(rp_customs_find(priv, fuzz_path("."), entry->name, &same) >= 0);
    return 0;
}

/* The name of a file among a user's own models: it is one, or what a killed process left, or
 * neither. The folder is looked at anew each time, as another was in between. */
void fuzz_names(const uint8_t *data, size_t size)
{
    struct rp_customs *customs = NULL;
    const struct rp_model_entry *entry = NULL;
    char name[300];

    if (!size || size > 250 || memchr(data, '/', size) || memchr(data, 0, size) ||
        (size < 3 && data[0] == '.'))
        return;
    mkdir(fuzz_path("custom"), 0700);
    snprintf(name, sizeof(name), "custom/%.*s", (int) size, (const char *) data);
    const char *const path = fuzz_file(name, "model", 5);
    fuzz_must(rp_customs_create(&customs) >= 0);
    fuzz_must(rp_customs_each(customs, fuzz_path("."), check_name, customs) >= 0);
    rp_customs_find(customs, fuzz_path("."), name, &entry);
    rp_partial_sweep(fuzz_path("custom"));
    rp_partial_sweep(fuzz_path("reprise"));
    unlink(path);
    rp_customs_destroy(&customs);
}

/* A journal as it is, and with the right sum behind each of its lines. What is read can be written
 * and is then read as the same; what is cut is the beginning of it. */
static char *with_sums(const uint8_t *data, size_t size, size_t *n)
{
    char *text = NULL;
    uint32_t crc = 0;
    FILE *const f = open_memstream(&text, n);

    fuzz_must(f);
    for (size_t at = 0; at < size;) {
        const uint8_t *const end = memchr(data + at, '\n', size - at);
        const size_t length = end ? (size_t) (end - data) - at : size - at;

        crc = rp_crc32(rp_crc32(crc, data + at, length), " ", 1);
        fwrite(data + at, 1, length, f);
        fprintf(f, " %08x\n", crc);
        at += length + 1;
    }
    fuzz_must(!fclose(f));
    return text;
}

static void check_journal(const char *text, size_t size)
{
    bool valid, again_valid;
    size_t n;
    uint8_t *data;
    struct rp_journal j;
    struct rp_journal_head head, again;
    struct rp_journal_list list = {0}, again_list = {0};
    const char *const path = fuzz_path("a.journal");

    fuzz_must(!rp_journal_parse(text, size, &head, &valid, &list));
    fuzz_must(valid || !list.n);
    unlink(path);
    if (valid) {
        fuzz_must(!rp_journal_begin(&j, path, &head));
        for (int i = 0; i < list.n; i++)
            fuzz_must(!rp_journal_add(&j, &list.piece[i]));
        rp_journal_close(&j);
        fuzz_must(!rp_file_read(path, 1 << 20, &data, &n));
        fuzz_must(n <= size && !memcmp(data, text, n));
        fuzz_must(!rp_journal_parse((char *) data, n / 2 + n / 3, &again, &again_valid, &again_list));
        fuzz_must(again_list.n <= list.n);
        free(data);
    }
    for (int i = 0; i < again_list.n; i++)
        fuzz_must(!strcmp(again_list.piece[i].sha256, list.piece[i].sha256));
    rp_journal_list_free(&again_list);
    rp_journal_list_free(&list);
}

void fuzz_journal(const uint8_t *data, size_t size)
{
    size_t n;
    char *const text = with_sums(data, size, &n);

    check_journal((const char *) data, size);
    check_journal(text, n);
    free(text);
}
