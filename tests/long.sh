#!/bin/bash
# The tests that take long: `make check-long`.
#
#   tests/long.sh [BUILD]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build}")/reprise
tests/test_sync.py "$program" --all -v
exec tests/test_long.py "$program" -v
