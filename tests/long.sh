#!/bin/bash
# The tests that take long: `make check-long`.
#
#   tests/long.sh [BUILD]
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "${1:-build}")/reprise
tests/test_sync.py "$program" --all -v
# As `make test` does, but farther; it makes the build.
[ ! -d "${1:-build}-test" ] || REPRISE_LINT_LONG=1 tests/lint.sh "${1:-build}-test"
tests/test_install.py "$program" -v Subproject
# Two minutes each, begun with what they found before; what ends one is kept.
[ ! -x "${1:-build}-clang/tests/fuzz" ] ||
    RUNS=1000000000 SECONDS_EACH=120 tests/fuzz.sh "${1:-build}-clang"
# What `make test` leaves out of its suite with sanitizers.
if [ -d "${1:-build}-asan" ]; then
    export REPRISE_SOURCE=$PWD LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp
    meson test -C "${1:-build}-asan" --no-rebuild --print-errorlogs --suite reference -t 4
    REPRISE_ALL_RUNS=1 "${1:-build}-asan/tests/test_pipeline"
    tests/test_bad_input.py "${1:-build}-asan/reprise" --all -v World Files
    tests/test_background.py "${1:-build}-asan/reprise" -v Alpha BadInput
fi
[ ! -x "${1:-build}-tsan/tests/test_pipeline" ] || REPRISE_SOURCE=$PWD REPRISE_ALL_RUNS=1 \
    TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp:halt_on_error=1 "${1:-build}-tsan/tests/test_pipeline"
# Every call of a device fails once, not some of them.
[ ! -x "${1:-build}-test/tests/test_pipeline" ] || REPRISE_SOURCE=$PWD REPRISE_EVERY_CALL=1 \
    "${1:-build}-test/tests/test_pipeline" test_device_fails
[ ! -f "${1:-build}-test/tests/emulate/libcheckgpu-emulated.so" ] || "${1:-build}-test/tests/checkgpu" \
    --count 40 --module "${1:-build}-test/tests/emulate/libcheckgpu-emulated.so"
[ ! -x "${1:-build}-test/tests/net_run" ] || tests/test_nets.py "${1:-build}-test/tests/net_run" --long
# Networks that stand in for the content check's are needed: all of FaceFusion's command lines, and sound.
if [ -d "${1:-build}-test" ]; then
    tests/test_dropin.py "${1:-build}-test/reprise" --all -v
    tests/test_lip_syncer.py "${1:-build}-test/reprise" --all -v Hears Sound
fi
[ ! -x "${1:-build}-test/tests/report_page" ] ||
    tests/test_report.py "${1:-build}-test/tests/report_page" --measure "$program"
tests/test_real_media.py "$program" --all -v Lite Yunet Jobs
tests/test_face_blur.py "$program" --all -v Nobody
tests/test_pieces.py "$program" --all -v
tests/test_faults.py "$program" --all
tests/test_resume.py "$program" --all -v
tests/test_web.py "$program" --all -v Long
tests/test_load.py "$program" --all -v
# Only root can build an image; make check-dockerfile installs what it needs.
if [ "$(id -u)" = 0 ] && command -v buildah >/dev/null && command -v debootstrap >/dev/null; then
    tests/dockerfile.sh "${1:-build}"
fi
exec tests/test_long.py "$program" -v
