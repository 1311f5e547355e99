#include "app/job_file.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>
#include <wctype.h>

#include "app/app.h"
#include "base/json.h"

const char *const job_status_names[JOB_STATUSES + 1] = {
    [JOB_DRAFTED] = "drafted", [JOB_QUEUED] = "queued",   [JOB_COMPLETED] = "completed",
    [JOB_FAILED] = "failed",   [JOB_STARTED] = "started", [JOB_STATUSES] = NULL};

int job_status_of(const char *word)
{
    for (int i = 0; word && i < JOB_STATUSES; i++)
        if (!strcmp(word, job_status_names[i]))
            return i;
    return -1;
}

/* ---- ids ------------------------------------------------------------------------------------- */

static uint32_t rotate(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t) p[4 * i] << 24 | (uint32_t) p[4 * i + 1] << 16 |
               (uint32_t) p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        const uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                           : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                           : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                    : (b ^ c ^ d) + 0xca62c1d6;
        const uint32_t next = rotate(a, 5) + f + e + w[i];

        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

static void sha1_hex(const char *text, char hex[41])
{
    const size_t n = strlen(text);
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    uint8_t last[128] = {0};
    size_t at = 0;

    for (; n - at >= 64; at += 64)
        sha1_block(h, (const uint8_t *) text + at);
    memcpy(last, text + at, n - at);
    last[n - at] = 0x80;
    const size_t size = n - at < 56 ? 64 : 128;
    for (int i = 0; i < 8; i++)
        last[size - 1 - (size_t) i] = (uint8_t) ((uint64_t) n * 8 >> 8 * i);
    for (size_t i = 0; i < size; i += 64)
        sha1_block(h, last + i);
    for (int i = 0; i < 5; i++)
        snprintf(hex + 8 * i, 9, "%08x", h[i]);
}

/* Letters and digits of any script, whatever the locale of the user. */
static bool is_letter(locale_t utf8, wchar_t c)
{
    return c < 128 ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                   : utf8 && iswalnum_l((wint_t) c, utf8);
}

bool job_id_is_whole(const char *word)
{
    const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
    const locale_t before = utf8 ? uselocale(utf8) : (locale_t) 0;
    mbstate_t state = {0};
    bool whole = true;
    int letters = 0;

    for (size_t n; whole && *word; word += n) {
        wchar_t c = (unsigned char) *word;

        n = utf8 ? mbrtowc(&c, word, strlen(word), &state) : 1;
        if (n == 0 || n > 8) { /* not UTF-8 */
            whole = false;
            break;
        }
        whole = c == '-' || is_letter(utf8, c);
        letters += c != '-';
    }
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return whole && letters > 0;
}

int job_id_of(const char *word, char id[JOB_ID_SIZE])
{
    if (!job_id_is_whole(word)) {
        sha1_hex(word, id);
        return RP_OK;
    }
    if (strlen(word) >= JOB_ID_SIZE) {
        app_log(RP_LOG_ERROR, "job %.40s…: a job's name has at most %d bytes", word,
                JOB_ID_SIZE - 1);
        return RP_ERR_INVALID;
    }
    memcpy(id, word, strlen(word) + 1);
    return RP_OK;
}

/* ---- dates ----------------------------------------------------------------------------------- */

void job_date(char text[JOB_DATE_SIZE])
{
    struct timespec now;
    struct tm local;
    char zone[8] = "+0000";

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    const size_t n = strftime(text, JOB_DATE_SIZE, "%Y-%m-%dT%H:%M:%S", &local);
    strftime(zone, sizeof(zone), "%z", &local);
    snprintf(text + n, JOB_DATE_SIZE - n, ".%06ld%.3s:%.2s", now.tv_nsec / 1000, zone, zone + 3);
}

double job_age(const char *date)
{
    struct tm t = {.tm_isdst = -1};
    int hours = 0, minutes = 0;
    char sign = '+';
    const char *rest = strptime(date, "%Y-%m-%dT%H:%M:%S", &t);

    if (!rest)
        return -1;
    rest += *rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0;
    if (*rest && sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
        return -1;
    const time_t then =
        *rest ? timegm(&t) - (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60) : mktime(&t);
    return fmax(difftime(time(NULL), then), 0);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void *wrong(const char *name, const char *what)
{
    app_log(RP_LOG_ERROR, "%s: not the file of a job: %s", name, what);
    return NULL;
}

/* Values and how deep they lie, before memory is asked for any of them. */
static bool is_within_limits(const char *text, size_t size)
{
    bool in_string = false;
    size_t values = 1;
    int depth = 0;

    for (size_t i = 0; i < size; i++) {
        const char c = text[i];

        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        values += c == ',' || c == '[' || c == '{';
        depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        if (depth > JOB_DEPTH_MAX || values > JOB_VALUES_MAX)
            return false;
    }
    return true;
}

static bool is_word(const json_t *v)
{
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static bool is_value(const json_t *v)
{
    const json_t *one;
    size_t i;

    if (json_is_null(v) || is_word(v))
        return true;
    if (!json_is_array(v) || json_array_size(v) > JOB_WORDS_MAX)
        return false;
    json_array_foreach(v, i, one) if (!is_word(one)) return false;
    return true;
}

/* What is wrong with a step, or NULL. */
static const char *step_fault(const json_t *step)
{
    const json_t *const args = json_object_get(step, "args"), *v;
    const char *key;

    if (!json_is_object(args))
        return "a step has no args";
    if (job_status_of(json_string_value(json_object_get(step, "status"))) < 0)
        return "the status of a step is none of drafted, queued, started, completed and failed";
    if (json_object_size(args) > JOB_KEYS_MAX)
        return "a step has too many args";
    json_object_foreach((json_t *) args, key,
                        v) if (!is_value(v)) return "an arg of a step is neither a text, a number, "
                                                    "yes or no, nor a list of those";
    return NULL;
}

static const char *fault_of(const json_t *job)
{
    const json_t *const version = json_object_get(job, "version"), *step;
    const json_t *const updated = json_object_get(job, "date_updated");
    const json_t *const steps = json_object_get(job, "steps");
    size_t i;

    if (!json_is_string(version) || strcmp(json_string_value(version), "1") != 0)
        return "its version is not \"1\"";
    if (!json_is_string(json_object_get(job, "date_created")) ||
        (updated && !json_is_null(updated) && !json_is_string(updated)))
        return "it has no dates";
    if (!json_is_array(steps) || json_array_size(steps) > JOB_STEPS_MAX)
        return "it has no list of steps, or more than 10000";
    json_array_foreach(steps, i, step)
    {
        const char *const fault = step_fault(step);

        if (fault)
            return fault;
    }
    return NULL;
}

json_t *job_parse(const char *name, const char *text, size_t size)
{
    json_error_t error;
    const char *fault;
    json_t *job;

    if (size > JOB_FILE_MAX || !is_within_limits(text, size))
        return wrong(name, "too large or too deep");
    if (!(job = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error))) {
        app_log(RP_LOG_ERROR, "%s: not the file of a job: line %d: %s", name, error.line,
                error.text);
        return NULL;
    }
    if ((fault = fault_of(job))) {
        json_decref(job);
        return wrong(name, fault);
    }
    return job;
}

char *job_text(const json_t *job)
{
    /* As Python writes it; 10 digits are more than any option has. */
    char *const text =
        rp_json_text(job, JSON_INDENT(4) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(10));

    if (text && strlen(text) <= JOB_FILE_MAX && is_within_limits(text, strlen(text)))
        return text;
    app_log(RP_LOG_ERROR,
            text ? "the file of the job would be too large: give it fewer steps" : "out of memory");
    free(text);
    return NULL;
}

json_t *job_new(void)
{
    char date[JOB_DATE_SIZE];

    job_date(date);
    return json_pack("{s:s, s:s, s:n, s:[]}", "version", "1", "date_created", date, "date_updated",
                     "steps");
}

/* ---- steps ----------------------------------------------------------------------------------- */

json_t *job_steps(const json_t *job)
{
    return json_object_get(job, "steps");
}

size_t job_step_count(const json_t *job)
{
    return json_array_size(job_steps(job));
}

json_t *job_step_args(const json_t *job, size_t step)
{
    return json_object_get(json_array_get(job_steps(job), step), "args");
}

enum job_status job_step_status(const json_t *job, size_t step)
{
    const json_t *const status = json_object_get(json_array_get(job_steps(job), step), "status");
    const int i = job_status_of(json_string_value(status));

    return i < 0 ? JOB_DRAFTED : (enum job_status) i;
}

bool job_set_step_status(json_t *job, size_t step, enum job_status status)
{
    json_t *const name = json_string(job_status_names[status]);

    return !json_object_set_new(json_array_get(job_steps(job), step), "status", name);
}

bool job_set_all_steps(json_t *job, enum job_status status)
{
    bool ok = true;

    for (size_t i = 0; i < job_step_count(job); i++)
        ok = job_set_step_status(job, i, status) && ok;
    return ok;
}

const char *job_step_path(const json_t *job, size_t step, const char *key)
{
    const char *const text = json_string_value(json_object_get(job_step_args(job, step), key));

    return text && *text ? text : NULL;
}

bool job_insert_step(json_t *job, size_t before, json_t *args)
{
    json_t *const step =
        json_pack("{s:o, s:s}", "args", args, "status", job_status_names[JOB_DRAFTED]);

    return step && !json_array_insert_new(job_steps(job), before, step);
}

char *job_step_output(const json_t *job, const char *id, size_t step)
{
    char *text;
    const char *const path = job_step_path(job, step, "output_path");
    const char *const slash = path ? strrchr(path, '/') : NULL;
    const char *const name = slash ? slash + 1 : path;
    const char *const dot = name ? strrchr(name, '.') : NULL;

    if (!dot || dot == name ||
        asprintf(&text, "%.*s-%s-%zu%s", (int) (dot - path), path, id, step, dot) < 0)
        return NULL;
    return text;
}
