/* --segment: by hand and by what schedulers say, and how pieces are shared out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/segment.h"

static const char *const *environment; /* "NAME=VALUE", ends with NULL */

static const char *look(const char *name)
{
    const size_t n = strlen(name);

    for (const char *const *e = environment; e && *e; e++)
        if (!strncmp(*e, name, n) && (*e)[n] == '=')
            return *e + n + 1;
    return NULL;
}

#define SLURM(id, count, min) \
    "SLURM_ARRAY_TASK_ID=" id, "SLURM_ARRAY_TASK_COUNT=" count, "SLURM_ARRAY_TASK_MIN=" min
#define MPI(rank, size) "OMPI_COMM_WORLD_RANK=" rank, "OMPI_COMM_WORLD_SIZE=" size
#define KUBERNETES(index) "JOB_COMPLETION_INDEX=" index
#define AWS(index, size) "AWS_BATCH_JOB_ARRAY_INDEX=" index, "AWS_BATCH_JOB_ARRAY_SIZE=" size

/* clang-format off */
static const struct {
    const char *text, *env[8];
    int number, count;  /* count below 0: refused */
    const char *says;
} cases[] = {
    {NULL, {0}, 0, 0, NULL},
    {"1/1", {0}, 0, 1, NULL},
    {"1/6", {0}, 0, 6, NULL},
    {"6/6", {0}, 5, 6, NULL},
    {"1000000/1000000", {0}, 999999, 1000000, NULL},
    {"2/6", {SLURM("1", "4", "0")}, 1, 6, NULL},
    {"0/6", {0}, 0, -1, "neither auto nor"},
    {"7/6", {0}, 0, -1, "neither auto nor"},
    {"1/0", {0}, 0, -1, "neither auto nor"},
    {"", {0}, 0, -1, "neither auto nor"},
    {"/", {0}, 0, -1, "neither auto nor"},
    {"1", {0}, 0, -1, "neither auto nor"},
    {"1/", {0}, 0, -1, "neither auto nor"},
    {"/2", {0}, 0, -1, "neither auto nor"},
    {"1/2/3", {0}, 0, -1, "neither auto nor"},
    {"-1/2", {0}, 0, -1, "neither auto nor"},
    {"+1/2", {0}, 0, -1, "neither auto nor"},
    {" 1/2", {0}, 0, -1, "neither auto nor"},
    {"1/2 ", {0}, 0, -1, "neither auto nor"},
    {"1.0/2", {0}, 0, -1, "neither auto nor"},
    {"0x1/2", {0}, 0, -1, "neither auto nor"},
    {"Auto", {0}, 0, -1, "neither auto nor"},
    {"1/1000001", {0}, 0, -1, "neither auto nor"},
    {"4294967297/4294967298", {0}, 0, -1, "neither auto nor"},
    {"00000000000000000001/2", {0}, 0, -1, "neither auto nor"},

    {"auto", {0}, 0, -1, "no array of Slurm"},
    {"auto", {SLURM("0", "6", "0")}, 0, 6, NULL},
    {"auto", {SLURM("6", "6", "1")}, 5, 6, NULL},
    {"auto", {"SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_COUNT=4"}, 3, 4, NULL},
    {"auto", {SLURM("8", "3", "4"), "SLURM_ARRAY_TASK_STEP=2"}, 2, 3, NULL},
    {"auto", {SLURM("7", "3", "4"), "SLURM_ARRAY_TASK_STEP=2"}, 0, -1, "not one of so many"},
    {"auto", {SLURM("8", "3", "4"), "SLURM_ARRAY_TASK_STEP=0"}, 0, -1, "not one of so many"},
    {"auto", {SLURM("7", "3", "1")}, 0, -1, "not one of so many"}, /* --array=1,3,7 */
    {"auto", {SLURM("0", "3", "1")}, 0, -1, "not one of so many"},
    {"auto", {SLURM("0", "0", "0")}, 0, -1, "not one of so many"},
    {"auto", {SLURM("", "3", "0")}, 0, -1, "no whole number"},
    {"auto", {SLURM("1", "3 ", "0")}, 0, -1, "SLURM_ARRAY_TASK_COUNT is '3 '"},
    {"auto", {SLURM("-1", "3", "0")}, 0, -1, "no whole number"},
    {"auto", {SLURM("99999999999999999999", "3", "0")}, 0, -1, "no whole number"},
    {"auto", {"SLURM_ARRAY_TASK_ID=3"}, 0, -1, "there is no SLURM_ARRAY_TASK_COUNT"},
    {"auto", {"SLURM_PROCID=3", "SLURM_NTASKS=4"}, 0, -1, "no array of Slurm"},
    {"auto", {MPI("0", "2")}, 0, 2, NULL},
    {"auto", {MPI("1", "2")}, 1, 2, NULL},
    {"auto", {MPI("2", "2")}, 0, -1, "not one of so many"},
    {"auto", {KUBERNETES("2"), "JOB_COMPLETION_COUNT=3"}, 2, 3, NULL},
    {"auto", {KUBERNETES("2"), "JOB_COMPLETIONS=3"}, 2, 3, NULL},
    {"auto", {KUBERNETES("2")}, 0, -1, "there is no JOB_COMPLETION_COUNT"},
    {"auto", {KUBERNETES("3"), "JOB_COMPLETION_COUNT=3"}, 0, -1, "not one of so many"},
    {"auto", {AWS("9", "10")}, 9, 10, NULL},
    {"auto", {AWS("10", "10")}, 0, -1, "not one of so many"},
    {"auto", {SLURM("1", "4", "0"), MPI("0", "1")}, 1, 4, NULL},
    {"auto", {SLURM("0", "1", "0"), MPI("1", "2")}, 1, 2, NULL},
    {"auto", {SLURM("1", "4", "0"), MPI("1", "2")}, 0, -1, "both for Slurm and for Open MPI"},
};
/* clang-format on */

static void test_parse(void **state)
{
    struct rp_segment s;

    (void) state;
    rp_set_log(RP_LOG_QUIET, NULL, NULL);
    for (size_t i = 0; i < RP_ARRAY_LEN(cases); i++) {
        environment = cases[i].env;
        const int ret = rp_segment_parse(&s, cases[i].text, look);
        if (cases[i].count < 0) {
            if (ret != RP_ERR_USAGE || !strstr(rp_last_error(), cases[i].says))
                fail_msg("case %zu: %d, '%s'", i, ret, rp_last_error());
        } else if (ret || s.number != cases[i].number || s.count != cases[i].count) {
            fail_msg("case %zu: %d, %d/%d", i, ret, s.number, s.count);
        }
    }
}

/* Each piece once, in order, evenly. */
static void test_share(void **state)
{
    static const int64_t pieces[] = {0, 1, 2, 5, 6, 7, 100, 1000003};

    (void) state;
    for (size_t i = 0; i < RP_ARRAY_LEN(pieces); i++)
        for (int count = 0; count < 40; count++) {
            int64_t at = 0, first, end;

            for (int k = 0; k < RP_MAX(count, 1); k++) {
                rp_segment_share(&(struct rp_segment){k, count}, pieces[i], &first, &end);
                assert_int_equal(first, at);
                assert_true(end >= first);
                if (count)
                    assert_in_range(end - first, pieces[i] / count,
                                    (pieces[i] + count - 1) / count);
                at = end;
            }
            assert_int_equal(at, pieces[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_share),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
