#!/bin/bash
# All that needs a GPU, in one go: also on a machine without network and without our build tools.
#
#   bench/gpu.sh [STEP...]           the steps, in this order; without names those marked *
#   bench/gpu.sh --commit-results    copy the results in $OUT to bench/results/GPU*.json, run nothing
#
#   unpack   *  ONNX Runtime and the programs from their archives; always done. Named alone it does
#               what it can, so that the two archives may arrive one after the other
#   twins    *  networks with random weights and the published architectures
#   doctor   *  what the program says of this machine; the GPU must be all right
#   checkgpu *  every CUDA operation against the C one
#   graph    *  the tests of recording and replaying; checkgraph and checkdevice get what the programs'
#               archive has in data/: the models in models, pictures and clips in media, source.jpg and source2.jpg
#   record   *  checkstep and checkrecord: frames in lockstep; verbs and faults of recording, each network's
#               replays against eager
#   nets     *  checknet: the twins by our own operations against ONNX Runtime, rows against one, times
#   bench    *  reprise benchmark on the twins; what becomes bench/results/GPU.json
#   decode      NVDEC against the processor's decoder: the same frames, and how fast; clips are those in
#               data/clips (tests/decode_clips.sh makes them)
#   contracts   each processor's models, tiny, recorded, against the CPU
#   faults      one call of the CUDA runtime after the other fails, of a short job with a clip
#   sanitize    checkgpu under compute-sanitizer's memcheck and racecheck
#
# In $OUT: gpu.log (everything), gpu.json (what ran, on what), benchmark.json. A table comes last.
#
# Environment:
#   PACK            archive of ONNX Runtime (.gpu/ort.tar): scripts/gpu-pack 90 .gpu/ort.tar
#   BINARIES        archive of the programs (.gpu/binaries.tar): scripts/gpu-pack --binaries BUILD …;
#                   when it is not there the programs are built here
#   OUT             results (out/gpu)
#   TMPDIR          what is unpacked goes to reprise-gpu in it (/tmp) and is used again
#   LIMIT           seconds for all steps together (560); LIMIT_BENCH etc.: for one
#   *_ARGS          of BENCH, CHECKGPU, CHECKGRAPH, FAULTS, NETS, RECORD, SANITIZE, TWINS: more arguments, apart at blanks
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/cuda.sh
. scripts/cuda.sh

out=${OUT:-out/gpu}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=${TMPDIR:-/tmp}/reprise-gpu
packed=$work/programs
log=$out/gpu.log
default_steps=(unpack twins doctor checkgpu graph record nets bench)

say() { echo "gpu: $*"; }
skip() { say "$*"; exit 77; }

limit_of() {
    local own=LIMIT_${1^^}
    case $1 in
        unpack) echo "${!own:-120}" ;;
        doctor) echo "${!own:-60}" ;;
        twins) echo "${!own:-150}" ;;
        bench | faults) echo "${!own:-300}" ;;
        *) echo "${!own:-240}" ;;
    esac
}

gpu_query() { nvidia-smi --query-gpu="$1" --format=csv,noheader 2>/dev/null | head -n 1; }

# ---- steps: each runs as a process of its own; 77 means skipped -----------------------------------

# The folder that holds reprise, from the archive or built here.
programs() {
    if [ -x "$packed/build/reprise" ]; then
        echo "$packed/build"
    else
        echo "$work/build"
    fi
}

program() { find "$(programs)" -name "$1" -type f -perm -u+x -not -path '*.p/*' 2>/dev/null | sort; }

# Real models where there are some; the benchmark puts the twins beside them.
surroundings() {
    local libraries
    libraries=$(cuda_library_path)
    LD_LIBRARY_PATH=$packed/lib${libraries:+:$libraries}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    ORT_HOME=$work/ort
    REPRISE_CUDA_MODULE=$(program libreprise-cuda.so | head -n 1)
    REPRISE_MODELS=$packed/data/models
    [ -d "$REPRISE_MODELS" ] || REPRISE_MODELS=$work/twins
    REPRISE_COMMIT=$(sed -n 's/^ "commit": "\(.*\)",$/\1/p' "$packed/binaries.json" 2>/dev/null) || REPRISE_COMMIT=
    REPRISE_SOURCE=$PWD
    export REPRISE_OFFLINE=1
    export LD_LIBRARY_PATH ORT_HOME REPRISE_CUDA_MODULE REPRISE_MODELS REPRISE_COMMIT REPRISE_SOURCE
    [ ! -d "$packed/data" ] || export REPRISE_SHARED=$packed/data
}

models_and_twins() {
    rm -rf "$work/models"
    mkdir -p "$work/models"
    find "$packed/data/models" "$work/twins" -name '*.onnx' -exec ln -sf -t "$work/models" {} + 2>/dev/null || true
    # a twin of the content check only where there is no real one: most builds refuse it
    [ ! -f "$packed/data/models/nsfwjs.onnx" ] || ln -sf -t "$work/models" "$packed/data/models/nsfwjs.onnx"
    export REPRISE_MODELS=$work/models REPRISE_TWINS=$work/twins
}

step_unpack() {
    local pack=${PACK:-.gpu/ort.tar} binaries=${BINARIES:-.gpu/binaries.tar}
    if [ -f "$pack" ]; then
        scripts/gpu-unpack "$pack" "$work/ort"
    elif [ ! -f "$work/ort/ort.json" ] && [ -z "${ALONE:-}" ]; then
        say "$pack is not there: make it with scripts/gpu-pack ARCH $pack"
        exit 1
    fi
    if [ -f "$binaries" ]; then
        rm -rf "$packed" # programs of another day would be run
        scripts/gpu-unpack "$binaries" "$packed"
    elif [ ! -x "$packed/build/reprise" ] && [ -z "${ALONE:-}" ]; then
        build_here
    fi
    cuda_say_missing
}

build_here() {
    local nvcc
    if ! command -v meson >/dev/null || ! pkg-config --exists jansson inih libcrypto zlib 2>/dev/null; then
        say "cannot build here: bring the programs with scripts/gpu-pack --binaries BUILD .gpu/binaries.tar"
        exit 1
    fi
    nvcc=$(cuda_nvcc)
    PATH=$(dirname "$nvcc"):$PATH
    [ -f "$work/build/build.ninja" ] || meson setup "$work/build" --buildtype=release -Dmedia=auto \
        -Dcuda=enabled -Dgpu_arch="$(gpu_query compute_cap | tr -d .)" -Dort_home="$work/ort" \
        -Dcheck_standins=true
    ninja -C "$work/build"
}

step_twins() {
    local python=python3
    [ -f tools/twins.py ] || skip "there is no tools/twins.py yet"
    $python -c 'import numpy' 2>/dev/null || python=/usr/bin/python3
    $python -c 'import numpy' 2>/dev/null || skip "Python has no numpy here"
    mkdir -p "$work/twins"
    # shellcheck disable=SC2086 # arguments, apart at blanks
    $python tools/twins.py --out "$work/twins" ${TWINS_ARGS:-}
    ls -l "$work/twins"
}

step_doctor() {
    surroundings
    nvidia-smi || true
    "$(programs)/reprise" doctor | tee "$work/doctor" || true # models may be missing here
    grep -q '^ok  *GPU ' "$work/doctor"
}

step_checkgpu() {
    local checkgpu
    surroundings
    checkgpu=$(program checkgpu)
    [ -n "$checkgpu" ] || skip "there is no checkgpu yet"
    # shellcheck disable=SC2086
    "$checkgpu" ${CHECKGPU_ARGS:-}
}

step_graph() {
    local test tests media pictures failed=0
    local source=$packed/data/source.jpg source2=$packed/data/source2.jpg
    surroundings
    tests=$(program 'test_graph*'; program 'test_cuda*'; program 'test_gpu*')
    media=$(find "$packed/data/media" -name '*.mp4' -o -name '*.jpg' -o -name '*.png' 2>/dev/null | sort)
    [ -z "$media" ] || [ ! -f "$source" ] || tests+=$'\n'$(program checkgraph)
    [ -f "$source2" ] || source2=
    pictures=$(grep -v 'mp4$' <<<"$media" || true)
    [ -z "$pictures" ] || [ ! -f "$source" ] || tests+=$'\n'$(program checkdevice)
    [ -n "${tests//[[:space:]]/}" ] || skip "there are no graph tests, or no media for checkgraph"
    for test in $tests; do
        echo "== $(basename "$test")"
        # shellcheck disable=SC2086
        case $test in
            */checkgraph) "$test" --source "$source" ${source2:+--source2 "$source2"} ${CHECKGRAPH_ARGS:-} $media ;;
            */checkdevice) "$test" --source "$source" $pictures ;;
            *) "$test" ;;
        esac || failed=1
    done
    return $failed
}

step_nets() {
    local checknet
    surroundings
    checknet=$(program checknet)
    [ -n "$checknet" ] || skip "there is no checknet yet"
    # shellcheck disable=SC2086
    "$checknet" ${NETS_ARGS:---precision fp16} "$work"/twins/*.onnx
    # shellcheck disable=SC2086
    "$checknet" ${NETS_ARGS:---precision fp16} --inputs 1 --rows 4 --slots 4 \
        "$work"/twins/{yoloface_8n,2dfan4,arcface_w600k_r50,hyperswap_1a_256,inswapper_128}.onnx
}

step_record() {
    local checkrecord network networks=()
    surroundings
    checkrecord=$(program checkrecord)
    [ -n "$checkrecord" ] || skip "there is no checkrecord yet"
    for network in "$work"/twins/*.onnx "$packed"/data/models/*.onnx; do
        [ ! -f "$network" ] || networks+=(--network "$network")
    done
    python3 tests/fault_models.py "$work/faults"
    "$(program checkstep)" --device cuda "$work/faults"
    # shellcheck disable=SC2086
    "$checkrecord" --models "$work/faults" "${networks[@]}" ${RECORD_ARGS:-}
}

# The frame of yoloface, 2dfan4, inswapper and paste, the analysing stage, and all twins by themselves.
step_bench() {
    surroundings
    models_and_twins
    # shellcheck disable=SC2086
    "$(programs)/reprise" benchmark --execution-providers cuda --source-paths "$packed/data/source.jpg" \
        --face-selector-mode many --face-detector-model yolo_face --face-landmarker-model 2dfan4 \
        --face-swapper-model inswapper_128 --content-analyser-model nsfwjs \
        --benchmark-parts roof models frame analyse --benchmark-models "$work"/twins/*.onnx \
        --json "$out/benchmark.json" --html "$out/benchmark.html" ${BENCH_ARGS:-}
}

step_contracts() {
    surroundings
    python3 -c 'import cv2, numpy' 2>/dev/null || skip "Python has no OpenCV here"
    python3 tests/gpu_contracts.py "$(programs)/reprise" "$packed/data/models" \
        "$packed/data/media/cisco_vt_2people_320x192_12fps.mp4" "$packed/data/source.jpg"
}

step_decode() {
    local check
    surroundings
    check=$(program checkdecode)
    [ -n "$check" ] || skip "there is no checkdecode yet"
    [ -d "$packed/data/clips" ] || skip "the programs' archive has no data/clips"
    find "$packed/data/clips" -type f | sort | xargs "$check"
}

step_faults() {
    surroundings
    [ -n "$(program fault_cuda.so)" ] || skip "there is no fault_cuda.so: build with -Dcuda=enabled -Dtests=true"
    # shellcheck disable=SC2086
    python3 tests/test_cuda_faults.py "$(programs)/reprise" "$packed/data/models" \
        "$packed/data/media/cisco_vt_2people_320x192_12fps.mp4" "$packed/data/source.jpg" ${FAULTS_ARGS:-}
}

step_sanitize() {
    local tool checkgpu sanitizer
    surroundings
    checkgpu=$(program checkgpu)
    sanitizer=$(PATH=$PATH:/usr/local/cuda/bin:/usr/local/cuda/compute-sanitizer command -v compute-sanitizer) ||
        skip "there is no compute-sanitizer here"
    [ -n "$checkgpu" ] || skip "there is no checkgpu yet"
    for tool in memcheck racecheck; do
        # shellcheck disable=SC2086
        "$sanitizer" --tool $tool --error-exitcode 9 "$checkgpu" ${SANITIZE_ARGS:-}
    done
}

# ---- all of them ----------------------------------------------------------------------------------

rows=() failures=0

one_step() {
    local name=$1 limit left code=0 begin=$SECONDS word
    limit=$(limit_of "$name")
    left=$((${LIMIT:-560} - SECONDS))
    [ "$limit" -le $left ] || limit=$left
    printf '\n==== %s\n' "$name" >>"$log"
    if [ "$limit" -le 0 ]; then
        rows+=("$name|not run|0|no time left")
        failures=$((failures + 1))
        return 0
    fi
    say "$name (at most $limit s)"
    timeout -k 10 "$limit" bash "$0" --one "$name" >>"$log" 2>&1 || code=$?
    case $code in
        0) word=passed ;;
        77) word=skipped ;;
        124 | 137) word='out of time' ;;
        *) word="failed ($code)" ;;
    esac
    rows+=("$name|$word|$((SECONDS - begin))|$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c1-90)")
    case $word in
        passed | skipped) return 0 ;;
    esac
    failures=$((failures + 1))
    sed -n "/^==== $name\$/,\$p" "$log" | tail -n 25 | cut -c1-200
    [ "$name" != unpack ] # without it nothing works
}

write_json() {
    printf '%s\n' "${rows[@]}" | python3 -c '
import json, sys
out, packs, command, gpu, driver, memory = sys.argv[1:]
about = {"command": command, "gpu": gpu, "driver": driver, "memory": memory}
for name in packs.split(":"):
    try:
        with open(name) as f:
            pack = json.load(f)
        about[pack["kind"]] = {k: pack[k] for k in ("commit", "arch") if k in pack}
    except OSError:
        pass
rows = [line.rstrip("\n").split("|", 3) for line in sys.stdin]
about["steps"] = [{"name": n, "result": r, "seconds": int(s), "last_line": l} for n, r, s, l in rows]
with open(out, "w") as f:
    json.dump(about, f, indent=1)
    f.write("\n")' "$out/gpu.json" "$work/ort/ort.json:$packed/binaries.json" "$1" \
        "$(gpu_query name)" "$(gpu_query driver_version)" "$(gpu_query memory.total)"
}

commit_results() {
    local gpu
    gpu=$(sed -n 's/^ "gpu": "\(.*\)",$/\1/p' "$out/gpu.json" 2>/dev/null) || gpu=
    [ -n "$gpu" ] || { say "$out/gpu.json is not there, or of a machine without a GPU: nothing is copied."; exit 1; }
    gpu=$(tr '[:upper:] ' '[:lower:]-' <<<"${gpu#NVIDIA }")
    mkdir -p bench/results
    cp "$out/gpu.json" "bench/results/$gpu-run.json"
    [ ! -f "$out/benchmark.json" ] || cp "$out/benchmark.json" "bench/results/$gpu.json"
    ls -l bench/results/"$gpu"*.json
}

main() {
    local steps=() name
    case ${1:-} in
        --one) "step_$2"; return ;;
        --commit-results) commit_results; return ;;
        -h | --help) sed -n '2,/^set -/{/^#/!d;s/^# \{0,1\}//;p}' "$0"; return ;;
    esac
    for name; do
        declare -F "step_$name" >/dev/null || { say "unknown step $name: see --help" >&2; exit 2; }
        [ "$name" = unpack ] || steps+=("$name")
    done
    if [ $# = 0 ]; then
        steps=("${default_steps[@]}")
    elif [ ${#steps[@]} = 0 ]; then
        export ALONE=1
        steps=(unpack)
    else
        steps=(unpack "${steps[@]}")
    fi
    : >"$log"
    rm -f "$out/benchmark.json"
    for name in "${steps[@]}"; do
        one_step "$name" || break
        write_json "bench/gpu.sh $*"
    done
    write_json "bench/gpu.sh $*"
    printf '\n%-10s %-12s %8s  %s\n' step result seconds 'last line'
    for name in "${rows[@]}"; do
        IFS='|' read -r a b c d <<<"$name"
        printf '%-10s %-12s %8s  %s\n' "$a" "$b" "$c" "$d"
    done
    [ $failures = 0 ]
}

main "$@"
