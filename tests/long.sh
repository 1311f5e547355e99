#!/bin/bash
# The tests that take long: `make check-long`.
#
#   tests/long.sh [BUILD]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
exec tests/test_long.py "$(realpath "${1:-build}")/reprise" -v
