#!/bin/bash
# What a build shows to the world: headers, symbols, the libraries it needs.
#
#   tests/symbols.sh BUILD
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath "${1:?usage: symbols.sh BUILD}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

ok() { # NAME COMMAND...: the command says nothing and succeeds
    local name=$1 said
    shift
    if said=$("$@" 2>&1) && [ -z "$said" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok $name"
        head -n 20 <<<"$said" | sed 's/^/    /'
    fi
}

skip() { # NAME WHY
    skipped=$((skipped + 1))
    echo "ok $1 # SKIP $2"
}

# ---- headers --------------------------------------------------------------------------------------

strict=(-Wall -Wextra -pedantic -Werror -fsyntax-only "-I$root/include")

compiles() { # COMPILER LANGUAGE STANDARD HEADER
    "$1" -x "$2" "-std=$3" "${strict[@]}" "-DHEADER=\"$4\"" "$root/tests/header_test.c"
}

public_headers() {
    local header compiler found
    for header in "$root"/include/reprise/*.h; do
        header=reprise/$(basename "$header")
        for compiler in gcc clang; do
            command -v $compiler >/dev/null || { skip "$header with $compiler" "no $compiler"; continue; }
            ok "$header, C17, $compiler" compiles $compiler c c17 "$header"
            ok "$header, C11, $compiler" compiles $compiler c c11 "$header"
        done
        found=
        for compiler in g++ clang++; do
            command -v $compiler >/dev/null || continue
            ok "$header, C++11, $compiler" compiles $compiler c++ c++11 "$header"
            ok "$header, C++20, $compiler" compiles $compiler c++ c++20 "$header"
            found=1
        done
        [ -n "$found" ] || skip "$header as C++" "no g++ and no clang++"
    done
}

# Every header of the sources includes what it needs.
own_headers() {
    local header flags=(-std=gnu17 -D_GNU_SOURCE "-I$root/include" "-I$root/src" "-I$build" -Wall
        -isystem "$root/third_party/onnxruntime")
    cd "$root/src"
    find . -name '*.h' ! -path './device/cuda/*' | sort | while read -r header; do
        case $header in
            */option_impl.h) continue ;;
        esac
        echo "#include \"${header#./}\"" >"$work/one.c"
        cc "${flags[@]}" -fsyntax-only "$work/one.c" || echo "$header does not stand alone"
    done
}

# ---- symbols --------------------------------------------------------------------------------------

declared() { # what the header promises
    tr '\n' ' ' <"$root/include/reprise/reprise.h" | grep -o 'RP_API [^;{]*(' |
        grep -o 'rp_[a-z_0-9]*(' | tr -d '(' | sort -u
}

exported() {
    nm -D --defined-only "$build/libreprise.so" | awk '{ print $3 }' | sort -u
}

same_names() {
    diff <(declared) <(exported)
}

only_own_names() {
    nm -A -g --defined-only "$build/libreprise-core.a" 2>/dev/null | awk 'NF > 2 { print $NF }' |
        grep -v '^rp_' || true
}

needs() { # FILE: libraries that it is linked to
    readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

no_gpu() { # the CPU program starts where neither CUDA nor ONNX Runtime is
    needs "$1" | grep -iE 'cuda|cudnn|cublas|nvrtc|nvidia|onnxruntime' || true
}

soname() {
    local v # until 1.0 one minor version, then one major
    v=$(sed -n 's/^#define RP_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$root/include/reprise/version.h" |
        paste -sd. | sed 's/^0\.\([0-9]*\).*/0.\1/; t; s/\..*//')
    readelf -d "$build/libreprise.so" | grep -qF "[libreprise.so.$v]"
}

no_executable_stack() {
    readelf -lW "$build/reprise" | grep -E 'GNU_STACK.*E' || true
}

says_version() {
    local v
    v=$(sed -n 's/^#define RP_VERSION_[A-Z]* \([0-9]*\)$/\1/p' "$root/include/reprise/version.h" | paste -sd.)
    "$build/reprise" --version | grep -qF "reprise $v"
}

links_from_c() {
    cc "-I$root/include" '-DHEADER="reprise/reprise.h"' -DLINKED "$root/tests/header_test.c" \
        -o "$work/c" -L"$build" -lreprise "-Wl,-rpath,$build" && "$work/c"
}

links_from_cpp() {
    clang++ -x c++ "-I$root/include" '-DHEADER="reprise/reprise.h"' -DLINKED \
        "$root/tests/header_test.c" -nostdlib++ -o "$work/cpp" -L"$build" -lreprise \
        "-Wl,-rpath,$build" && "$work/cpp"
}

public_headers
ok 'own headers stand alone' own_headers
ok 'the library exports what the header declares' same_names
ok 'all global names begin with rp_' only_own_names
ok 'the program needs no GPU library' no_gpu "$build/reprise"
ok 'the library needs no GPU library' no_gpu "$build/libreprise.so"
ok 'soname' soname
ok 'no executable stack' no_executable_stack
ok 'version' says_version
ok 'a C program with the library' links_from_c
if command -v clang++ >/dev/null; then
    ok 'a C++ program with the library' links_from_cpp
else
    skip 'a C++ program with the library' 'no clang++'
fi
echo "symbols: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
