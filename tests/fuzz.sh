#!/bin/bash
# Runs the fuzzers of tests/fuzz/fuzz.c, as many at once as there are cores, and prints a table.
#
#   tests/fuzz.sh BUILD [NAME...]     BUILD: made with -Dfuzz=true and clang
#
#   RUNS      inputs for each fuzzer (default 1000000); `smoke`: few, from the same seed
#   SECONDS_EACH  a fuzzer ends after so many seconds even if it is not done (default: 5 for smoke,
#             else no limit)
#   CORPUS    a folder that keeps what was found between calls (default BUILD/fuzz)
#
# Each begins with tests/corpus/NAME. An input may take 10 seconds and 2 GB. The exit code is 1 if
# any fuzzer failed; the input that did it is kept beside its log, in CORPUS/failed. What the
# libraries under test write to stderr is not shown: some of them say a line for each input.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath "${1:?usage: fuzz.sh BUILD [NAME...]}")
shift
fuzz=$build/tests/fuzz
runs=${RUNS:-1000000}
corpus=${CORPUS:-$build/fuzz}
[ "$runs" != smoke ] || SECONDS_EACH=${SECONDS_EACH:-5}
mkdir -p "$corpus/failed"
corpus=$(realpath "$corpus")
export LSAN_OPTIONS=suppressions=$root/tests/lsan.supp:print_suppressions=0
# An input frees little, so that a small quarantine holds what it freed; its memory stays warm.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1}:allocator_may_return_null=1
ASAN_OPTIONS+=:quarantine_size_mb=16:malloc_context_size=8:allocator_release_to_os_interval_ms=-1

# one NAME RUNS MAX_LEN DICT: a line of the table
one() {
    local name=$1 runs=$2 log=$corpus/failed/$1.log code=0 found=$corpus/$1 flags=()
    if [ "$RUNS" = smoke ]; then
        found=$(mktemp -d)
        flags=(-seed=1)
    fi
    # FFmpeg's muxer of MP4 leaks where the header cannot be written.
    [ "$name" != tracks ] || ASAN_OPTIONS+=:detect_leaks=0
    [ "$4" = - ] || flags+=("-dict=$root/tests/fuzz/$4.dict")
    [ -z "${SECONDS_EACH:-}" ] || flags+=("-max_total_time=$SECONDS_EACH")
    mkdir -p "$found"
    "$fuzz" "--$name" "${flags[@]}" -runs="$runs" -max_len="$3" -timeout=10 -rss_limit_mb=2000 \
        -close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$corpus/failed/$name-" \
        "$found" "$root/tests/corpus/$name" >"$log" 2>&1 || code=$?
    [ "$RUNS" != smoke ] || rm -rf "$found"
    awk -v name="$name" -v failed=$((code != 0)) '
        /^#[0-9]+/ { for (i = 1; i < NF; i++) { if ($i == "cov:") cov = $(i + 1)
            if ($i == "corp:") { corp = $(i + 1); sub("/.*", "", corp) } } }
        /^stat::number_of_executed_units:/ { runs = $2 }
        /^stat::average_exec_per_sec:/ { rate = $2 }
        /^stat::peak_rss_mb:/ { rss = $2 }
        END { printf "%-10s %9d runs %7d/s %5d corpus %5d edges %5d MB %2d failed\n", name, runs,
              rate, corp, cov, rss, failed }' "$log"
    if [ $code != 0 ]; then
        grep -aE '^==.*ERROR|^SUMMARY|runtime error|^ +#[0-9]+ .*(fuzz_|rp_)|^artifact|Test unit' "$log" |
            head -n 15 | sed 's/^/    /'
        return 1
    fi
    rm "$log"
}
export -f one
export root fuzz corpus RUNS=$runs SECONDS_EACH

# Slow ones first, so that all cores are busy to the end.
"$fuzz" --list | while read -r name smoke max_len dict; do
    if [ $# = 0 ] || [[ " $* " == *" $name "* ]]; then
        [ "$runs" = smoke ] && n=$smoke || n=$runs
        echo "$smoke $name $n $max_len $dict"
    fi
done | sort -n | cut -d' ' -f2- | xargs -r -P "$(nproc)" -L 1 bash -c 'one "$@"' one |
    tee "$corpus/table" || true
failed=$(grep -c ' [1-9][0-9]* failed$' "$corpus/table" || true)
passed=$(grep -c ' 0 failed$' "$corpus/table" || true)
echo "fuzz: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
