#!/bin/bash
# Install a finished build: program, library, headers, man page and ONNX Runtime beside them.
#
#   scripts/install.sh BUILD DESTDIR PREFIX
#
# Fetches and builds nothing, so that `make` as oneself and then `sudo make install` do the right thing.
# The program looks for ../lib/reprise/libonnxruntime.so, seen from its own folder.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1 destdir=$2 prefix=$3
case $prefix in
    /*) ;;
    *) echo "install: PREFIX is $prefix, but must be a path from the root (/)" >&2; exit 2 ;;
esac
ort=$(cat "$build/.ort_home")
lib=$destdir$prefix/lib/reprise

if ! grep -qxF -- "-Dprefix=$prefix" "$build/.options"; then
    meson setup --reconfigure "$build" -Dprefix="$prefix" >/dev/null
    sed -i '/^-Dprefix=/d' "$build/.options"
    echo "-Dprefix=$prefix" >>"$build/.options"
fi
DESTDIR=$destdir meson install -C "$build" --no-rebuild --quiet
mkdir -p "$lib"
cp -P "$ort"/lib/libonnxruntime*.so* "$lib/"
# A library that has only its versioned name still is found under the plain one.
[ -e "$lib/libonnxruntime.so" ] || (cd "$lib" && ln -s libonnxruntime.so.* libonnxruntime.so)
for text in LICENSE ThirdPartyNotices.txt; do
    [ ! -f "$ort/$text" ] || install -m 644 "$ort/$text" "$lib/onnxruntime-$text"
done
[ ! -f docs/reprise.1 ] || install -D -m 644 docs/reprise.1 "$destdir$prefix/share/man/man1/reprise.1"
echo "install: reprise is in $destdir$prefix/bin" >&2
