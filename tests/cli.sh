#!/bin/sh
# Black-box checks of the program: words, exit codes, what goes to stdout and what to stderr.
# Usage: cli.sh PROGRAM. Parts that need models or python3 say that they are skipped.
set -u

program=$(realpath "${1:?usage: cli.sh PROGRAM}") || exit 2
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
cd "$folder" || exit 2
export REPRISE_OFFLINE=1 COLUMNS=80 HOME="${HOME:-$folder}"

# ONNX Runtime 1.29.0 itself leaks a few bytes when it is loaded.
echo leak:libonnxruntime >lsan.supp
: "${LSAN_OPTIONS=suppressions=$folder/lsan.supp:print_suppressions=0}"
export LSAN_OPTIONS

passed=0 failed=0 skipped=0

ok() {
    passed=$((passed + 1))
    echo "ok $1"
}

not_ok() {
    failed=$((failed + 1))
    echo "not ok $1: $2"
    sed 's/^/# /' out err | head -n 8
}

skip() {
    skipped=$((skipped + 1))
    echo "ok $1 # SKIP $2"
}

# Run the program: out, err and $code.
run() {
    "$program" "$@" >out 2>err </dev/null
    code=$?
}

# exits NAME CODE WORDS...: the exit code, and nothing on stdout when it is wrong usage.
exits() {
    name=$1 want=$2
    shift 2
    run "$@"
    if [ "$code" -ne "$want" ]; then
        not_ok "$name" "exit $code, not $want"
    elif [ "$want" -eq 2 ] && [ -s out ]; then
        not_ok "$name" "words on stdout"
    elif [ "$want" -ne 0 ] && [ ! -s err ]; then
        not_ok "$name" "no sentence on stderr"
    else
        ok "$name"
    fi
}

# says NAME FILE TEXT: the last run wrote TEXT into out or err.
says() {
    if grep -qF -e "$3" "$2"; then
        ok "$1"
    else
        not_ok "$1" "no '$3' in std$2"
    fi
}

# refuses NAME TEXT WORDS...: exit 2, a sentence with TEXT, and the hint.
refuses() {
    name=$1 text=$2
    shift 2
    exits "$name" 2 "$@"
    says "$name: names it" err "$text"
    says "$name: points to the help" err "--help'"
}

# json_lines NAME: every line of out is a JSON object, and there is one.
json_lines() {
    if ! command -v python3 >/dev/null; then
        skip "$1" "python3 is not there"
    elif [ -s out ] && python3 -m json.tool --json-lines out >/dev/null 2>err; then
        ok "$1"
    else
        not_ok "$1" "not JSON lines"
    fi
}

# A grey picture of 64x64 pixels, which holds no face: BMP, 24 bits.
make_picture() {
    printf 'BM\066\060\000\000\000\000\000\000\066\000\000\000\050\000\000\000'
    printf '\100\000\000\000\100\000\000\000\001\000\030\000\000\000\000\000'
    printf '\000\060\000\000\023\013\000\000\023\013\000\000\000\000\000\000\000\000\000\000'
    head -c 12288 /dev/zero | tr '\000' '\200'
}

test_help() {
    exits "no command" 0
    says "no command: lists the commands" out headless-run
    exits "--help" 0 --help
    exits "help" 0 help
    exits "--version" 0 --version
    says "--version: version" out "reprise 0."
    says "--version: licence" out MIT
    for command in headless-run batch-run job-list job-remix-step job-run-all analyse models \
        force-download doctor inspect benchmark plan completion; do
        exits "$command --help" 0 $command --help
        says "$command --help: usage" out "Usage: reprise $command"
        says "$command --help: --log-level" out --log-level
        cp out first
        exits "help $command" 0 help $command
        if cmp -s first out; then ok "help $command: the same"; else not_ok "help $command" differs; fi
        if awk 'length > 80 { exit 1 }' first; then
            ok "$command --help: 80 columns"
        else
            not_ok "$command --help: 80 columns" "longer lines"
        fi
    done
    exits "--help after other words" 0 headless-run -t a --face-detector-score 0.5 --help
    run headless-run --help
    for option in --source-paths --target-path --output-path --processors --face-selector-mode \
        --face-detector-model --config-path --models-path --json; do
        says "headless-run --help: $option" out " $option"
    done
}

test_usage() {
    refuses "unknown command" "analyse" analize
    refuses "unknown word before the command" "--nonsense" --nonsense
    refuses "unknown option" "did you mean --face-detector-score" \
        headless-run --face-detector-scoer 0.5
    refuses "unknown letter" "-q" headless-run -q
    refuses "ambiguous beginning" "--face-selector-mode" headless-run --face-selector- many
    refuses "not a choice" "many" headless-run --face-selector-mode nobody
    refuses "outside the range" "--face-detector-score" headless-run --face-detector-score 1.5
    refuses "a negative number is a value" "-1" headless-run --reference-frame-number -1
    refuses "missing value" "--target-path" headless-run --target-path --output-path out.png
    refuses "missing value at the end" "--target-path" headless-run -t
    refuses "missing target" "--target-path" headless-run -s a.png -o out.png
    refuses "missing output" "--output-path" headless-run -s a.png -t picture.bmp
    refuses "a word too many" "stray" headless-run stray
    refuses "an option of another command" "--output-path" analyse --output-path a.png picture.bmp
    refuses "analyse without a file" "file" analyse
    for list in '--face-detector-angles 180' '--face-detector-angles 0 180' '--execution-device-ids 0' \
        '--download-providers github huggingface'; do
        # shellcheck disable=SC2086 # words
        exits "analyse: a list in front of the file" 1 analyse $list none.png
        says "analyse: a list in front of the file: $list" err "none.png"
    done
    refuses "analyse: a list that took the file" "write -- before files" analyse \
        --download-mirrors github=http://127.0.0.1:9 none.png
    refuses "a list's first word is its own" "is not one of" analyse --face-detector-angles none.png
    refuses "plan without a target" "--target-path" plan
    refuses "inspect without a file" "file" inspect
    refuses "a value for --json" "--json" models --json=yes
    refuses "no such model to fetch" "nosuchthing" force-download nosuchthing
    refuses "no such provider" "--download-providers" force-download --download-providers gitlab
    refuses "no such mirror" "--download-mirrors" force-download --download-mirrors github
    refuses "--verify elsewhere" "--verify" doctor --verify
    refuses "no such model kind" "nosuchthing" models nosuchthing
    exits "options may be shortened" 0 doctor --he
    exits "a later value wins" 2 headless-run --log-level debug --log-level nonsense
}

test_config() {
    mkdir config && cd config || return
    printf '[face_detector]\nface_detector_score = 7\n' >reprise.ini
    cp reprise.ini bad.ini
    run headless-run -t ../picture.bmp -o out.png
    if [ "$code" -ne 0 ]; then ok "reprise.ini is read"; else not_ok "reprise.ini" "not read"; fi
    says "reprise.ini: named in the sentence" err reprise.ini
    mv reprise.ini facefusion.ini
    run headless-run -t ../picture.bmp -o out.png
    says "facefusion.ini is read" err facefusion.ini
    rm facefusion.ini
    run headless-run --config-path bad.ini -t ../picture.bmp -o out.png
    says "--config-path is read" err bad.ini
    exits "no such config" 1 headless-run --config-path none.ini -t ../picture.bmp -o out.png
    cd ..
}

test_models() {
    exits "models" 0 models
    says "models: head" out licence
    says "models: lite set" out ultraface
    exits "models --json" 0 models --json
    json_lines "models --json: lines"
    for key in kind name file vendor licence year lite default installed size path fetch sha256; do
        says "models --json: $key" out "\"$key\":"
    done
    exits "models --networks" 0 models --networks
    says "models --networks: head" out "native  why not, or precision"
    exits "models face_swapper" 0 models face_swapper
    if grep -q face_detector out; then not_ok "models: filter" "other kinds"; else ok "models: filter"; fi
    mkdir empty
    exits "models of an empty folder" 0 models --json --models-path empty
    if grep -q '"installed":true' out; then
        not_ok "models of an empty folder: none" "some are installed"
    else
        ok "models of an empty folder: none"
    fi
}

test_doctor() {
    run doctor
    case $code in 0 | 1) ok "doctor" ;; *) not_ok "doctor" "exit $code" ;; esac
    says "doctor: ONNX Runtime" out "ONNX Runtime"
    says "doctor: a native network" out "a network of our own is right on the processor"
    run doctor --json
    json_lines "doctor --json: lines"
    REPRISE_ONNXRUNTIME=/nowhere/libonnxruntime.so "$program" doctor >out 2>err
    code=$?
    if [ "$code" -eq 1 ]; then ok "doctor: no ONNX Runtime"; else not_ok "doctor" "exit $code, not 1"; fi
    says "doctor: says what is missing" out missing
    says "doctor: says what works without" out "without it: --network-engine native"
    says "doctor: a native network without ONNX Runtime" out "is right on the processor"
}

test_inspect() {
    exits "inspect" 0 inspect picture.bmp
    says "inspect: no mark" out "no synthetic-media mark"
    exits "inspect --json" 0 inspect --json picture.bmp
    json_lines "inspect --json: line"
    says "inspect --json: absent" out '"present":false'
    exits "inspect: no such file" 1 inspect none.png
    exits "inspect: goes on after a failure" 1 inspect none.png picture.bmp
    says "inspect: goes on to the next" out picture.bmp
}

test_benchmark() {
    model=${REPRISE_MODELS:-$HOME/.cache/reprise/models}/fr_landmark.onnx

    refuses "benchmark: an option of it elsewhere" "--benchmark-quick" models --benchmark-quick
    refuses "benchmark: no such part" "--benchmark-parts" benchmark --benchmark-parts wheels
    if [ ! -f "$model" ]; then
        skip "benchmark" "the lite models are not installed"
        return
    fi
    exits "benchmark" 0 benchmark --benchmark-quick --benchmark-parts models --benchmark-models "$model" \
        --json bench.json --html bench.html
    says "benchmark: table" out fr_landmark
    if python3 -c 'import json; o = json.load(open("bench.json")); m = o["models"][0]
assert m["name"] == "fr_landmark" and m["plain_ms"] > 0 and m["eager_ms"] > 0
assert m["graph_ms"] is None and m["slots"] is None and m["cost_complete"]
assert 0.031 < m["gflop"] < 0.0313 and m["plain_max_abs_diff"] == 0
assert o["gpu"] is None and o["onnxruntime"] and o["commit"] and o["frame_graph"] is None'; then
        ok "benchmark: JSON"
    else
        not_ok "benchmark: JSON" "not as documented"
    fi
    says "benchmark: page" bench.html "</svg>"
    exits "benchmark: no such file" 0 benchmark --benchmark-quick --benchmark-parts models \
        --benchmark-models none.onnx
    says "benchmark: says what is wrong" out "no such file"
    exits "benchmark: cannot write" 1 benchmark --benchmark-quick --benchmark-parts models \
        --benchmark-models "$model" --json nowhere/bench.json
}

test_output() {
    "$program" models --json >/dev/full 2>err
    code=$?
    : >out
    if [ "$code" -eq 75 ] && [ -s err ]; then ok "full disk"; else not_ok "full disk" "exit $code"; fi
    "$program" models --json >&- 2>err
    code=$?
    if [ "$code" -eq 1 ]; then ok "closed stdout"; else not_ok "closed stdout" "exit $code"; fi
    { "$program" models --json 2>err; echo $? >code; } | true
    code=$(cat code)
    if [ "$code" -eq 0 ]; then ok "reader gone"; else not_ok "reader gone" "exit $code"; fi
}

lite_is_installed() {
    run models --json
    ! grep '"lite":true' out | grep -q '"installed":false'
}

test_faces() {
    if ! lite_is_installed; then
        skip "analyse and headless-run" "the lite models are not installed"
        return
    fi
    exits "analyse" 0 analyse --log-level error picture.bmp
    says "analyse: no face" out "no face"
    name=$(printf 'b\377 "q"\\.bmp')
    cp picture.bmp "$name"
    exits "analyse --json" 0 analyse --json picture.bmp -- "$name"
    json_lines "analyse --json: lines"
    says "analyse --json: form" out '{"file":"picture.bmp","frame":0,"time":0.0,"faces":[]}'
    exits "analyse: no such file" 1 analyse none.png picture.bmp
    says "analyse: goes on to the next" out picture.bmp
    exits "plan" 0 plan --processors face_debugger -t picture.bmp
    says "plan: an operation" out "resize  "
    says "plan: the target's form" out "planes 64x64 "
    says "plan: a network" out "network "
    says "plan: totals" out "device memory"
    exits "plan --json" 0 plan --json --processors face_debugger -t picture.bmp
    json_lines "plan --json: lines"
    sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/' out >first
    exits "plan --json: again" 0 plan --json --processors face_debugger -t picture.bmp
    sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/' out >second
    if cmp -s first second; then ok "plan: the same hash"; else not_ok "plan" "another hash"; fi
    exits "plan: other work" 0 plan --json --processors face_debugger --face-detector-score 0.4 \
        -t picture.bmp
    sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/' out >second
    if cmp -s first second; then not_ok "plan" "the same hash"; else ok "plan: another hash"; fi
    exits "plan: no such target" 1 plan --processors face_debugger -t none.png
    exits "headless-run" 0 headless-run --processors face_debugger -t picture.bmp -o=out.png
    if [ -s out.png ]; then ok "headless-run: output"; else not_ok "headless-run" "no out.png"; fi
    says "headless-run: summary" err "out.png: 1 frame in"
    exits "headless-run --log-level warn" 0 headless-run --log-level warn --processors \
        face_debugger -t picture.bmp -o out.png
    if grep -q 'frame in' err; then not_ok "--log-level warn" "not quiet"; else ok "--log-level warn"; fi
    exits "headless-run --json" 0 headless-run --json --processors face_debugger -t picture.bmp \
        -o out.png
    json_lines "headless-run --json: lines"
    says "headless-run --json: report" out '"event":"report","status":"done","exit_code":0'
    exits "inspect: the mark" 0 inspect out.png
    says "inspect: processors" out face_debugger
    exits "headless-run: no such target" 1 headless-run --processors face_debugger -t none.png \
        -o none-out.png
    if [ -e none-out.png ]; then not_ok "no output after failure" "it is there"; else ok "no output after failure"; fi
    exits "a named model that is missing" 2 headless-run --processors face_debugger \
        --models-path empty --face-detector-model yunet -t picture.bmp -o out.png
}

make_picture >picture.bmp
: >out
: >err
test_help
test_usage
test_models
test_config
test_doctor
test_inspect
test_benchmark
test_output
test_faces
echo "cli: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
