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
exec tests/test_long.py "$program" -v
