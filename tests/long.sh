#!/bin/bash
# The tests that take long: `make check-long`.
#
#   tests/long.sh [BUILD]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build}")/reprise
tests/test_sync.py "$program" --all -v
# As `make test` does, but farther; it makes the build.
[ ! -d "${1:-build}-test" ] || REPRISE_LINT_NODES=225000 tests/lint.sh "${1:-build}-test"
# Five minutes each, begun anywhere; what ends one is kept beside it.
export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
for fuzzer in "${1:-build}"-clang/tests/fuzz_*; do
    [ ! -x "$fuzzer" ] || [ -d "$fuzzer" ] ||
        "$fuzzer" -max_total_time=300 -timeout=10 -rss_limit_mb=2000 -verbosity=0 \
            -artifact_prefix="$fuzzer-"
done
exec tests/test_long.py "$program" -v
