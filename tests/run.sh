#!/bin/bash
# shellcheck disable=SC2317 # functions are called through the list
# Every test: what `make test` and CI run. The last line is "N passed, N failed[, N skipped]".
#
#   tests/run.sh [BUILD] [SUITE...]
#
#   BUILD    the build of the product, made by `make` (default: build); tests and sanitizers have
#            builds of their own beside it: BUILD-test, -asan, -tsan, -clang
#   SUITE    only these, by the name that stands in front of their line
#
# As many suites run at once as there are cores (or $REPRISE_TEST_JOBS), each on one of them as far as
# that can be; they begin in the order of the list in plan(), which has the builds first, then what
# takes longest. One line a suite, when it ends: with its wall time and its processor time. What it
# said is in BUILD-test/logs, and the end of that is shown when it failed. A suite that fails does not
# keep the others from running. Real media beside the checkout
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
few=$((($(nproc) + 1) / 2)) # processes of a build that is made while tests run
mkdir -p "$logs"
rm -f "$logs"/*.{log,time,end}

export REPRISE_SOURCE=$root
export REPRISE_SAMPLE=$root/$build-test/sample # the suites share it
rm -rf "$REPRISE_SAMPLE"
# Sanitizers end a program with a code that is none of its own.
export ASAN_OPTIONS=${ASAN_OPTIONS:-exitcode=99:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1:exitcode=99}
export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$root/tests/lsan.supp:print_suppressions=0}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$root/tests/tsan.supp:halt_on_error=1:exitcode=99}

ort=$(cat "$build/.ort_home" 2>/dev/null) || ort=$(scripts/setup.sh --tests) || {
    echo "0 passed, 1 failed"
    exit 1
}

# ---- the list -------------------------------------------------------------------------------------

names=() commands=() afters=()
alone=''         # names of suites beside which nothing else runs
declare -A state=() # of a suite: waiting, running, ended
declare -A who=()   # process -> number of its suite

# Is NAME wanted? Who wants "contracts" wants "contracts 1" as well.
is_wanted() {
    local name=${1// /-}
    [[ $wanted == '  ' || $wanted == *" $name "* || $wanted == *" ${name%-[0-9]} "* ]]
}

# suite NAME COMMAND...: put it on the list. `after`, if set, names one that must have ended.
suite() {
    is_wanted "$1" || return 0
    names+=("$1")
    afters+=("${after:-}")
    state[$1]=waiting
    shift
    commands+=("$(printf '%q ' "$@")")
}

# ---- running --------------------------------------------------------------------------------------

# In a process of its own: what the suite NAME says goes to its log, how it ended is written down.
run_one() { # NAME COMMAND
    local file=$logs/${1//[ \/]/-} code=0 begin=$SECONDS TIMEFORMAT='%U %S'
    export REPRISE_SUITE=${1//[ \/]/-}
    { time eval "$2" >"$file.log" 2>&1 </dev/null; } 2>"$file.time" || code=$?
    echo "$code $((SECONDS - begin)) $(awk '{ printf "%d", $1 + $2 }' "$file.time")" >"$file.end"
}

# What is said of a suite that ended, and counted.
report() { # NAME
    local name=${1//[ \/]/-} log json='' code wall busy p f s tally
    log=$logs/$name.log
    json=$(sed -n 's/^Full log written to \(.*\)\.txt$/\1.json/p' "$log" | tail -n 1)
    read -r code wall busy <"$logs/$name.end" || code=1 wall=0 busy=0
    tally=$(python3 tests/tally.py "$code" "$([ -s "$json" ] && echo "$json" || echo "$log")") ||
        tally='0 1 0'
    read -r p f s <<<"$tally"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    printf '%-30s %5d passed %3d failed %3d skipped %4d s, %4d s of processors\n' "$name" "$p" "$f" \
        "$s" "$wall" "$busy"
    tail -n +2 <<<"$tally"
    if [ "$f" != 0 ]; then
        tail -n 40 "$log" | cut -c1-300 | sed 's/^/    /'
        echo "    (${log#"$root"/})"
    fi
}

# The number of the next suite that may begin now, in $next; fails if there is none.
find_next() {
    local i
    for i in "${!names[@]}"; do
        next=$i
        [ "${state[${names[i]}]}" = waiting ] || continue
        case ${state[${afters[i]:-none}]:-} in
            waiting | running) continue ;;
        esac
        [[ $alone != *" ${names[i]} "* ]] || [ ${#who[@]} = 0 ] || continue
        return 0
    done
    return 1
}

begin_some() {
    local next
    while [ ${#who[@]} -lt "$jobs" ] && [ -z "$by_itself" ] && find_next; do
        run_one "${names[next]}" "${commands[next]}" &
        who[$!]=$next
        state[${names[next]}]=running
        [[ $alone != *" ${names[next]} "* ]] || by_itself=1
    done
}

run_list() {
    local ended name by_itself='' jobs=${REPRISE_TEST_JOBS:-$(nproc)}
    # Each in a process group of its own; without that an interrupt would be ignored in all of them,
    # and some tests interrupt a program.
    set -m
    trap 'kill -TERM -- $(printf -- "-%s " "${!who[@]}"); exit 130' INT TERM
    begin_some
    while [ ${#who[@]} -gt 0 ]; do
        wait -n -p ended
        name=${names[${who[$ended]}]}
        unset "who[$ended]"
        state[$name]=ended by_itself=''
        begin_some
        report "$name"
    done
    set +m
}

# ---- builds ---------------------------------------------------------------------------------------

# compile FOLDER OPTIONS TARGET...: the folder is configured once and again when OPTIONS change.
compile() {
    local folder=$1 options=$2
    shift 2
    options+=" --buildtype=debugoptimized -Dtests=true -Dcuda=disabled -Dort_home=$ort"
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

compile_by_clang() {
    CC=clang compile "$@"
}

# in_meson FOLDER ARGUMENTS...: its tests, without building, one at a time
in_meson() {
    local folder=$1
    shift
    meson test -C "$folder" --no-rebuild --print-errorlogs --num-processes 1 --logbase "$REPRISE_SUITE" "$@"
}

# python NAME FILE PROGRAM [TEST...]: a suite of the end-to-end tests
python() {
    local name=$1 file=$2
    shift 2
    suite "$name" /usr/bin/python3 -B "tests/test_$file.py" "$@" -v
}

# ---- all of it ------------------------------------------------------------------------------------

plan() {
    # standins: for suites that replace the content check's networks, which the product refuses
    local program=$build/reprise standins=$build-test/reprise asan=$build-asan/reprise test after=
    [ -x "$program" ] || program=$standins

    alone=' load '

    suite 'build debug' compile "$build-test" -Dbench=true
    # for the last files of that, which are compiled one after the other
    for test in twins import_nsfwjs classic onnx_writer; do
        suite "$test" /usr/bin/python3 -B "tests/test_$test.py" -v
    done
    for test in setup gpu_pack; do
        suite "$test" "tests/test_$test.sh"
    done
    after='build debug'
    suite 'build asan' compile "$build-asan" '-Db_sanitize=address,undefined -Doptimization=1 -Dbench=false' -j "$few"
    suite 'build tsan' compile "$build-tsan" '-Db_sanitize=thread -Doptimization=1' -j "$few" \
        tests/test_{queue,ring,log,pipeline}
    suite 'tidy' env REPRISE_LINT_PROCESSES=1 tests/lint.sh "$build-test" tidy
    python 'contracts 1' contracts "$standins" --part 1/2
    python 'contracts 2' contracts "$standins" --part 2/2
    suite 'unit' in_meson "$build-test" -t 3

    after='build asan'
    # the reference is most of the work of that suite, and not ours; check-long has it
    suite 'unit asan' in_meson "$build-asan" -t 4 --no-suite reference
    python 'bad input asan' bad_input "$asan" Files Models Sizes
    python 'main job asan' main_job "$asan" MainJob
    python 'download asan' download "$asan" Whole Resume Wrong Room Lite
    suite 'command line asan' tests/cli.sh "$asan"
    after='build tsan'
    suite 'threads tsan' in_meson "$build-tsan" -t 6 queue ring log pipeline
    after='build debug'
    suite 'build clang' compile_by_clang "$build-clang" '-Dfuzz=true -Doptimization=1' -j "$few" reprise tests/fuzz

    python 'real media' real_media "$program"
    python 'face blur' face_blur "$program"
    python 'lip syncer' lip_syncer "$standins"
    python 'background remover' background "$standins"
    python 'content check' content_check "$standins" Verdict Input Build Choice Ini Sampling Real
    python 'selection' selection "$program"
    python 'main job' main_job "$program"
    python 'pieces' pieces "$program"
    python 'words and screens' words "$program"
    python 'frame enhancer' frame_enhancer "$standins"
    suite 'cases' tests/test_cases.py "$program"
    python 'sync' sync "$program"
    python 'analysis' analysis "$program"
    python 'download' download "$program"
    python 'face swapper' face_swapper "$standins"
    python 'precision' precision "$program"
    python 'bad world' bad_input "$program" World
    suite 'faults' tests/test_faults.py "$program"
    suite 'rest of lint' env REPRISE_LINT_PROCESSES=1 tests/lint.sh "$build-test" rest
    python 'source sound' source_sound "$standins"
    python 'escapes' escapes "$program"
    python 'web' web "$standins"
    python 'jobs' jobs "$standins"
    python 'drop in' dropin "$standins"
    suite 'command line' tests/cli.sh "$program"
    suite 'install' tests/test_install.py "$program" -v Install
    suite 'headers and symbols' tests/symbols.sh "$build-test"
    python 'content check published' content_check "$program" Published Clips
    after='build clang'
    suite 'fuzz' env RUNS=smoke tests/fuzz.sh "$build-clang"
    after='build debug'
    python 'lifetime' lifetime "$program"
    python 'load' load "$program" # with less memory, fewer files and so on than it wants
    suite 'page' tests/test_page.mjs "$program"
    python 'resume' resume "$program" # jobs that were killed, and segments
}

main() {
    plan
    run_list
    echo "all suites: $((SECONDS - started)) s"
    line="$passed passed, $failed failed"
    [ "$skipped" = 0 ] || line+=", $skipped skipped"
    echo "$line"
    [ "$failed" = 0 ]
}

main; exit # in one line at the end: Bash has read all of the file by then
