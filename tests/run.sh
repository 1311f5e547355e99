#!/bin/bash
# shellcheck disable=SC2317 # functions are called through suite()
# Every test: what `make test` and CI run. The last line is "N passed, N failed[, N skipped]".
#
#   tests/run.sh [BUILD] [SUITE...]
#
#   BUILD    the build of the product, made by `make` (default: build); tests and sanitizers have
#            builds of their own beside it: BUILD-test, -asan, -tsan, -clang
#   SUITE    only these, by the name that stands in front of their line
#
# One line a suite; what it said is in BUILD-test/logs, and the end of that is shown when it failed.
# A suite that fails does not keep the others from running. Real media beside the checkout
# ($REPRISE_SHARED, else ../shared) are used when they are there, else tests that want them say so.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root=$PWD
build=build
if [ $# -gt 0 ] && [ -d "$1" ]; then
    build=${1%/}
    shift
fi
wanted=" $* "
logs=$root/$build-test/logs
passed=0 failed=0 skipped=0 started=$SECONDS
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs"/*.code

export REPRISE_SOURCE=$root
# Sanitizers end a program with a code that is none of its own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1:exitcode=99}
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$root/tests/lsan.supp:print_suppressions=0}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$root/tests/tsan.supp:halt_on_error=1:exitcode=99}

ort=$(cat "$build/.ort_home" 2>/dev/null) || ort=$(scripts/setup.sh --tests) || {
    echo "0 passed, 1 failed"
    exit 1
}

is_wanted() { # NAME of a suite
    [[ $wanted == '  ' || $wanted == *" ${1// /-} "* ]]
}

# suite NAME COMMAND...: run it, count its checks, say so in one line.
suite() {
    local name=$1 log=$logs/${1//[ \/]/-}.log code=0 begin=$SECONDS p f s tally
    shift
    is_wanted "$name" || return 0
    rm -f "${json:-}"
    "$@" >"$log" 2>&1 </dev/null || code=$?
    tally=$(python3 tests/tally.py $code "$([ -s "${json:-}" ] && echo "$json" || echo "$log")") ||
        tally='0 1 0'
    read -r p f s <<<"$tally"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-34s %5d passed %3d failed %3d skipped %4d s\n' "${name// /-}" "$p" "$f" "$s" \
        $((SECONDS - begin))
    tail -n +2 <<<"$tally"
    if [ "$f" != 0 ]; then
        tail -n 40 "$log" | cut -c1-300 | sed 's/^/    /'
        echo "    (${log#"$root"/})"
    fi
    return $((f != 0))
}

# ---- builds ---------------------------------------------------------------------------------------

# compile FOLDER OPTIONS TARGET...: the folder is configured once and again when OPTIONS change.
compile() {
    local folder=$1 options=$2
    shift 2
    options+=" --buildtype=debugoptimized -Dbench=true -Dtests=true -Dcuda=disabled -Dort_home=$ort"
    options+=' -Dcheck_standins=true' # the content check takes networks whose answers are known
    if [ "$(cat "$folder/.options" 2>/dev/null)" != "$options" ]; then
        rm -rf "$folder/meson-private" "$folder/build.ninja" "$folder/meson-info"
        # shellcheck disable=SC2086 # words
        meson setup "$folder" $options || return
        echo "$options" >"$folder/.options"
    fi
    echo "$ort" >"$folder/.ort_home"
    # A warning is a failure here, so that none stays.
    ninja -C "$folder" "$@" | tee "$folder/.said"
    [ "${PIPESTATUS[0]}" = 0 ] && ! grep -q 'warning:' "$folder/.said"
}

# in_advance NAME COMMAND...: what the suite NAME is about; `done_in_advance NAME` waits for it.
in_advance() {
    local log=$logs/in-advance-${1//[ \/]/-} code=0
    is_wanted "$1" || return 0
    shift
    "$@" >"$log.log" 2>&1 || code=$?
    echo $code >"$log.code"
}

# Builds for the last suites, made with what the first ones leave of the processors.
build_in_advance() {
    renice -n 19 $BASHPID >"$logs/renice.log" 2>&1
    in_advance 'build asan' compile "$build-asan" '-Db_sanitize=address,undefined -Doptimization=1'
    in_advance 'build tsan' compile "$build-tsan" '-Db_sanitize=thread' reprise tests/test_{queue,ring,log,pipeline}
    CC=clang in_advance 'build clang' compile "$build-clang" '-Dfuzz=true' reprise tests/fuzz
}

done_in_advance() {
    local log=$logs/in-advance-${1//[ \/]/-}
    while [ ! -s "$log.code" ] && kill -0 "$behind"; do
        sleep 0.2
    done
    cat "$log.log"
    return "$(cat "$log.code")"
}

# in_meson FOLDER ARGUMENTS...: its tests, without building
in_meson() {
    local folder=$1
    shift
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@"
}

# meson_suite NAME FOLDER ARGUMENTS...
meson_suite() {
    local json=$root/$2/meson-logs/testlog.json
    suite "$1" in_meson "${@:2}"
}

# ---- all of it ------------------------------------------------------------------------------------

run_all() {
    # standins: for suites that replace the content check's networks, which the product refuses
    local program=$build/reprise standins=$build-test/reprise test behind

    suite 'build debug' compile "$build-test" ''
    build_in_advance &
    behind=$!
    meson_suite 'unit' "$build-test"
    suite 'headers and symbols' tests/symbols.sh "$build-test"
    suite 'lint' tests/lint.sh "$build-test"
    for test in setup gpu_pack; do
        suite "$test" "tests/test_$test.sh"
    done
    for test in onnx_writer classic import_nsfwjs twins; do
        suite "$test" /usr/bin/python3 -B "tests/test_$test.py" -v
    done

    [ -x "$program" ] || program=$build-test/reprise
    suite 'command line' tests/cli.sh "$program"
    suite 'install' tests/test_install.py "$program" -v Install
    suite 'main job' tests/test_main_job.py "$program" -v
    suite 'contracts' tests/test_contracts.py "$standins" --halves -v
    suite 'cases' tests/test_cases.py "$program"
    suite 'drop in' tests/test_dropin.py "$standins" -v
    suite 'sync' tests/test_sync.py "$program" -v
    suite 'face swapper' tests/test_face_swapper.py "$standins" -v
    suite 'background remover' tests/beside.py tests/test_background.py "$standins" \
        Contracts -- Alpha BadInput Chains Untouched Isnet
    suite 'frame enhancer' tests/test_frame_enhancer.py "$standins" -v
    suite 'source sound' tests/test_source_sound.py "$standins" -v
    suite 'lip syncer' tests/beside.py tests/test_lip_syncer.py "$standins" \
        Hears -- Sound Odd
    suite 'analysis' tests/test_analysis.py "$program" -v
    suite 'real media' tests/beside.py tests/test_real_media.py "$program" \
        Lite Yunet Landmarkers Turned SameFrames AtOnce -- \
        Steady Classes Identity Jobs Occlusion Enhancer
    suite 'selection' tests/test_selection.py "$program" -v
    suite 'face blur' tests/beside.py tests/test_face_blur.py "$program" \
        Kept -- Nobody Gaps Scenes BadInput
    suite 'content check' tests/test_content_check.py "$standins" -v Verdict Input Build Choice Ini Sampling Real
    suite 'content check published' tests/test_content_check.py "$program" -v Published Clips
    suite 'lifetime' tests/test_lifetime.py "$program" -v
    suite 'download' tests/test_download.py "$program" -v
    suite 'faults' tests/test_faults.py "$program"
    suite 'load' tests/test_load.py "$program" -v
    suite 'bad world' tests/test_bad_input.py "$program" -v World
    suite 'escapes' tests/test_escapes.py "$program" -v
    suite 'words and screens' tests/test_words.py "$program" -v

    suite 'build asan' done_in_advance 'build asan'
    # the reference is most of the work of that suite, and not ours; check-long has it
    meson_suite 'unit asan' "$build-asan" -t 4 --no-suite reference
    suite 'command line asan' tests/cli.sh "$build-asan/reprise"
    suite 'main job asan' tests/test_main_job.py "$build-asan/reprise" -v MainJob
    suite 'download asan' tests/test_download.py "$build-asan/reprise" -v Whole Resume Wrong Room
    suite 'bad input asan' tests/beside.py tests/test_bad_input.py "$build-asan/reprise" \
        Files -- Models Sizes

    suite 'build tsan' done_in_advance 'build tsan'
    meson_suite 'threads tsan' "$build-tsan" -t 6 queue ring log pipeline

    suite 'build clang' done_in_advance 'build clang'
    suite 'fuzz' env RUNS=smoke tests/fuzz.sh "$build-clang"
}

main() {
    run_all
    echo "all suites: $((SECONDS - started)) s"
    line="$passed passed, $failed failed"
    [ "$skipped" = 0 ] || line+=", $skipped skipped"
    echo "$line"
    [ "$failed" = 0 ]
}

main # at the end: Bash has read all of the file by then
exit
