#!/bin/bash
# What can be said about the sources without running them.
#
#   tests/lint.sh BUILD     BUILD: a build folder with all of src and tests in it
#
# clang-tidy looks again only at files that changed since they were found clean: BUILD/lint holds a
# hash of each with all that it includes. How far its analyser follows a function's paths takes nearly
# all of the time: $REPRISE_LINT_NODES states of a function at most, 60000 if it is not set; the long
# suite takes clang's own 225000.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:?usage: lint.sh BUILD}
build=$(realpath "$build")
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

# ---- clang-tidy -----------------------------------------------------------------------------------

# tidy FILE: clean, or what is wrong. Exported to the shells of xargs.
tidy() {
    local mark=$clean/${1//\//_} flags hash
    flags=$(sed -n "s|^$1 ||p" "$clean/commands" | head -n 1)
    [ -n "$flags" ] || return 0 # not part of this build
    # shellcheck disable=SC2086 # words
    hash=$(cd "$build" && {
        clang -E $flags "$root/$1" 2>/dev/null
        cat "$root/.clang-tidy"
        echo "$nodes"
    } | sha256sum)
    [ "$(cat "$mark" 2>/dev/null)" != "$hash" ] || return 0
    # shellcheck disable=SC2086
    if (cd "$build" && clang-tidy -quiet "$root/$1" -- $flags -Xclang -analyzer-config \
        -Xclang "max-nodes=$nodes") >"$mark.log" 2>&1; then
        echo "$hash" >"$mark"
    else
        grep -E '(error|warning):|^/' "$mark.log" | sed "s|$root/||" | head -n 10
    fi
}
export -f tidy
root=$PWD
nodes=${REPRISE_LINT_NODES:-60000}
export clean build root nodes

# "FILE FLAGS" for each C file of the build: includes and macros are all that matters here.
commands() {
    python3 - "$build/compile_commands.json" "$root" <<'PY'
import json, os, shlex, sys
for entry in json.load(open(sys.argv[1])):
    path = os.path.relpath(os.path.join(entry['directory'], entry['file']), sys.argv[2])
    words = shlex.split(entry['command'])
    keep = ['-xc'] if path.endswith('.c') else []
    for i, word in enumerate(words):
        if word.startswith(('-I', '-D', '-isystem', '-std', '-U')) and not word.startswith('-Imedia'):
            keep.append(word)
            if word in ('-I', '-D', '-isystem'):
                keep.append(words[i + 1])
    if path.endswith('.c') and not path.startswith('..'):
        print(path, *keep)
PY
}

check_tidy() {
    local file
    commands | sort -u -k1,1 >"$clean/commands"
    # shellcheck disable=SC2016
    cut -d' ' -f1 "$clean/commands" |
        xargs -P "$(nproc)" -I{} bash -c 'tidy "$1" >"$clean/${1//\//_}.said"' _ {}
    while read -r file; do
        ok "clang-tidy $file" cat "$clean/${file//\//_}.said"
    done < <(cut -d' ' -f1 "$clean/commands")
}

# ---- other programs -------------------------------------------------------------------------------

check_cppcheck() {
    local files
    mapfile -t files < <(sources '*.c')
    mkdir -p "$clean/cppcheck"
    cppcheck --quiet --std=c11 --language=c -j "$(nproc)" --cppcheck-build-dir="$clean/cppcheck" \
        --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --suppressions-list=tests/cppcheck.supp \
        -DRP_HAVE_MEDIA=1 -Iinclude -Isrc "-I$build" "${files[@]}"
}

check_python() {
    local file
    for file in $(sources '*.py'); do
        python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file"
    done
}

scripts() {
    sources | while read -r file; do
        if head -c 64 "$file" | head -n 1 | grep -qaE '^#!.*[/ ](ba)?sh( |$)'; then
            echo "$file"
        fi
    done
}

# ---- text -----------------------------------------------------------------------------------------

texts() { # all but pictures and the like, what fuzzers begin with, and files of others
    sources | grep -vE '^(tests/corpus|third_party)/' | while read -r file; do
        grep -qI '' "$file" 2>/dev/null && echo "$file"
    done || true
}

no_tabs() {
    texts | grep -vE '(^|/)Makefile$' | xargs -d '\n' grep -nP '\t' || true
}

no_blanks_at_the_end() {
    texts | xargs -d '\n' grep -nE '[[:blank:]]$' || true
}

no_carriage_returns() {
    texts | xargs -d '\n' grep -lP '\r' || true
}

utf8() {
    texts | xargs -d '\n' grep -naxLv '.*' >/dev/null || true
    texts | while read -r file; do
        iconv -f UTF-8 -t UTF-8 "$file" >/dev/null 2>&1 || echo "$file"
    done
}

newline_at_the_end() {
    texts | while read -r file; do
        [ -z "$(tail -c 1 "$file")" ] || echo "$file"
    done
}

# A name that only one machine has.
no_own_paths() {
    texts | grep -v '^tests/lint\.sh$' |
        xargs -d '\n' grep -nE '(^|[^[:alnum:]_.$}"*-])/(root|work|tmp/[a-z0-9]+)/' || true
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

app_uses_the_public_header() {
    grep -nE '^ *# *include *"' src/app/*.[ch] | grep -vE '"(app/[a-z_]+|reprise/[a-z_]+)\.h"' || true
}

if need clang-tidy clang-tidy; then check_tidy; fi
if need cppcheck cppcheck; then ok cppcheck check_cppcheck; fi
# shellcheck disable=SC2046 # no name here has a blank
if need shellcheck shellcheck; then ok shellcheck shellcheck -x -P . $(scripts); fi
# shellcheck disable=SC2046
if need codespell codespell; then ok codespell codespell $(texts); fi
ok 'Python can be parsed' check_python
ok 'no tabs' no_tabs
ok 'no blanks at the end of a line' no_blanks_at_the_end
ok 'no carriage returns' no_carriage_returns
ok 'UTF-8' utf8
ok 'newline at the end of a file' newline_at_the_end
ok 'no path of one machine' no_own_paths
ok 'files of others are unchanged' third_party_is_unchanged
ok 'Dockerfile' dockerfile_is_true
ok 'circles and long functions are found' python3 -B tests/layers.py --self-test
ok 'folders, circles, long functions' python3 -B tests/layers.py "$build"
ok 'only media includes FFmpeg and picture libraries' \
    who 'libav[a-z]*/|libsw[a-z]*/|turbojpeg|jpeglib|spng|png\.h|webp/|lcms2|tiff|libheif/' src/media
ok 'only engine includes ONNX Runtime' who 'onnxruntime' src/engine
ok 'only the CUDA device includes CUDA' who 'cuda|nvrtc|cublas|cudnn' src/device/cuda
ok 'the program includes only the public header' app_uses_the_public_header
echo "lint: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
