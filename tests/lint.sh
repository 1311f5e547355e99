#!/bin/bash
# What can be said about the sources without running them.
#
#   tests/lint.sh BUILD [PART]     BUILD: a build folder with all of src and tests in it
#
# PART: "tidy" is clang-tidy alone, "rest" all but that.
#
# clang-tidy looks again only at files that changed since they were found clean. How far its analyser
# follows a function's paths takes most of the time: 20000 states of a function at most (with 5000 it
# takes what cannot be for errors). With $REPRISE_LINT_LONG, as in the long suite, they are clang's own
# 225000, and cppcheck looks at tests, benchmarks, tools and examples as well as at src.
# $REPRISE_LINT_PROCESSES run at once, as many as there are cores if it is not set.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:?usage: lint.sh BUILD [PART]}
build=$(realpath "$build")
part=${2:-}
processes=${REPRISE_LINT_PROCESSES:-$(nproc)}
nodes=20000 checked='src/*.c'
[ -z "${REPRISE_LINT_LONG:-}" ] || nodes=225000 checked='*.c'
clean=$build/lint
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
mkdir -p "$clean"

ok() { # NAME COMMAND...: the command says nothing and succeeds
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1 && [ ! -s "$work/said" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok $name"
        head -n 40 "$work/said" | sed 's/^/    /'
    fi
}

# each PROGRAM...: it says "ok RULE" or "not ok RULE" and what is wrong
each() {
    local code=0
    "$@" >"$work/said" 2>&1 || code=$?
    passed=$((passed + $(grep -c '^ok ' "$work/said" || true)))
    failed=$((failed + $(grep -c '^not ok ' "$work/said" || true) + (code != 0)))
    grep -v '^ok ' "$work/said" || true
}

need() { # NAME PROGRAM
    command -v "$2" >/dev/null && return 0
    skipped=$((skipped + 1))
    echo "ok $1 # SKIP no $2"
    return 1
}

# Files of the project: what Git knows or would add; without Git, all but builds.
sources() { # PATTERN...
    local p names=()
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
        git ls-files -co --exclude-standard -- "$@" | sort -u | while read -r p; do
            [ ! -f "$p" ] || echo "$p"
        done
    else
        [ $# -gt 0 ] || set -- '*'
        for p; do
            names+=(-o -path "./$p")
        done
        find . \( -path './build*' -o -path ./out -o -path ./.git -o -name __pycache__ \) -prune -o \
            -type f \( "${names[@]:1}" \) -print | sed 's|^\./||' | sort
    fi
}

# ---- other programs -------------------------------------------------------------------------------

check_cppcheck() {
    local files
    mapfile -t files < <(sources "$checked")
    mkdir -p "$clean/cppcheck"
    cppcheck --quiet --std=c11 --language=c -j "$processes" --cppcheck-build-dir="$clean/cppcheck" \
        --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --suppressions-list=tests/cppcheck.supp \
        -DRP_HAVE_MEDIA=1 -Iinclude -Isrc "-I$build" "${files[@]}"
}

scripts() {
    sources | LC_ALL=C xargs -d '\n' awk \
        'FNR == 1 { if (/^#!.*[\/ ](ba)?sh( |$)/) print FILENAME; nextfile }'
}

# ---- text -----------------------------------------------------------------------------------------

texts() { # all but pictures and the like, what fuzzers begin with, and files of others
    sources | grep -vE '^(tests/corpus|third_party)/' | xargs -d '\n' grep -lI '' || true
}

# ---- files of others, and the Dockerfile ----------------------------------------------------------

third_party_is_unchanged() {
    (cd third_party && sha256sum --quiet -c SHA256SUMS)
    diff <(cd third_party && find . -mindepth 2 -type f | sed 's|^\./||' | sort) \
        <(cut -c67- third_party/SHA256SUMS | sort)
}

# The packages that set-up would install, and files that are there.
dockerfile_is_true() {
    local file
    diff <(sed -e ':a' -e '/\\$/{N;s/\\\n//;ba' -e '}' Dockerfile | sed -n 's/^RUN .*--no-install-recommends \(.*\) && rm.*/\1/p' |
        head -n 1 | tr -s ' ' '\n' | sed '/^$/d' | sort) \
        <({ sed -n 's/^apt \(build\|deb\) //p' scripts/pins.txt; echo npm ca-certificates; } | tr ' ' '\n' | sort)
    sed -n 's/^COPY \([^-].*\) [^ ]*$/\1/p' Dockerfile | tr ' ' '\n' | while read -r file; do
        [ -e "$file" ] || echo "Dockerfile: there is no $file"
    done
    # what the build reads
    for file in $(sed -n "s/.*subdir('\([a-z]*\).*/\1/p" meson.build | sort -u) scripts packaging third_party; do
        case $file in
            tests | bench) ;;
            *) grep -qx "COPY $file $file" Dockerfile || echo "Dockerfile: $file is not copied" ;;
        esac
    done
}

# ---- who includes what ----------------------------------------------------------------------------

# who PATTERN FOLDER...: only these folders of src include such headers.
who() {
    local pattern=$1 folders
    shift
    folders=$(IFS='|'; echo "$*")
    grep -rnE "^ *# *include *[<\"]($pattern)" src include --include='*.[ch]' --include='*.cu*' |
        grep -vE "^($folders)/" || true
}

# base/json.h is what jansson lacks, and nothing of the library's.
app_uses_the_public_header() {
    grep -nE '^ *# *include *"' src/app/*.[ch] | grep -vE '"((app|reprise)/[a-z_]+|web/web|base/json)\.h"' || true
    grep -nE '^ *# *include *"' src/web/*.[ch] | grep -vE '"((web|reprise)/[a-z_]+|web_page|base/json)\.h"' || true
}

check_tidy() {
    if need clang-tidy clang-tidy; then
        each python3 -B tests/tidy.py "$build" "$processes" "$nodes"
    fi
}

check_rest() {
    if need cppcheck cppcheck; then ok cppcheck check_cppcheck; fi
    # shellcheck disable=SC2046 # no name here has a blank
    if need shellcheck shellcheck; then ok shellcheck shellcheck -x -P . $(scripts); fi
    # shellcheck disable=SC2046
    if need codespell codespell; then ok codespell codespell $(texts); fi
    # shellcheck disable=SC2046
    each python3 -B tests/texts.py $(sources)
    ok 'files of others are unchanged' third_party_is_unchanged
    ok 'Dockerfile' dockerfile_is_true
    ok 'circles and long functions are found' python3 -B tests/layers.py --self-test
    ok 'folders, circles, long functions' python3 -B tests/layers.py "$build"
    ok 'only media includes FFmpeg and picture libraries' \
        who 'libav[a-z]*/|libsw[a-z]*/|turbojpeg|jpeglib|spng|png\.h|webp/|lcms2|tiff|libheif/' src/media
    ok 'only engine includes ONNX Runtime' who 'onnxruntime' src/engine
    ok 'only the CUDA device includes CUDA' who 'cuda|nvrtc|cublas|cudnn' src/device/cuda
    ok 'only web includes libmicrohttpd' who 'microhttpd' src/web
    ok 'the program includes only the public header' app_uses_the_public_header
}

[ "$part" = rest ] || check_tidy
[ "$part" = tidy ] || check_rest
echo "lint: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
