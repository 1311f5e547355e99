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
# Two minutes each, begun with what they found before; what ends one is kept.
[ ! -x "${1:-build}-clang/tests/fuzz" ] ||
    RUNS=1000000000 SECONDS_EACH=120 tests/fuzz.sh "${1:-build}-clang"
tests/test_faults.py "$program" --all
tests/test_load.py "$program" --all -v
exec tests/test_long.py "$program" -v
