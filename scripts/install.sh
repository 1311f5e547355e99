#!/bin/bash
# Install a finished build: program, library, headers, man page, ONNX Runtime and the lite models.
#
#   scripts/install.sh BUILD DESTDIR PREFIX
#   scripts/install.sh --remove DESTDIR PREFIX
#
# Fetches and builds nothing, so that `make` as oneself and then `sudo make install` do the right
# thing. What was put where is in PREFIX/share/reprise/installed; --remove takes away just that, and
# the folders that were made for it. Installing again takes away what the new version has no more.
set -euo pipefail
umask 022

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { echo "install: $*" >&2; }
die() { say "$*"; exit 1; }

build=$1 root=${2%/} prefix=$3 dest=${2%/}$3
list=$dest/share/reprise/installed

# What is installed, a line each: "file PATH", "folder PATH" (made by us), without DESTDIR.
installed() { ! [ -f "$list" ] || sed -n "s/^$1 //p" "$list"; }

# The loader's cache is the running system's.
renew_loader() {
    [ -z "$root" ] && [ "$(id -u)" = 0 ] || return 1
    PATH=$PATH:/sbin:/usr/sbin ldconfig
}

remove() {
    local path
    if [ ! -f "$list" ]; then
        say "nothing is installed below $dest."
        return 0
    fi
    installed file >"$work/files"
    installed folder | sort -r >"$work/folders"
    while read -r path; do
        rm -f "$root$path"
    done <"$work/files"
    rm -f "$list"
    # A folder that others put something into stays.
    while read -r path; do
        rmdir "$root$path" 2>/dev/null || [ ! -d "$root$path" ] || say "$root$path is not empty and stays."
    done <"$work/folders"
    renew_loader || true
}

# ---- what there is to install ---------------------------------------------------------------------

option_of() { # NAME
    meson introspect "$build" --buildoptions | python3 -c 'import json, sys
print(*(o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]))' "$1"
}

# The one that the build was made for, and for a build with CUDA its provider.
stage_onnxruntime() { # FOLDER
    local file provider
    file=$(sed 's|$|/lib/libonnxruntime.so|' "$build/.ort_home" 2>/dev/null) ||
        file=$(sed -n 's/^#define RP_ORT_LIBRARY "\(.*\)"$/\1/p' "$build/rp_config.h")
    ort=${file%/lib/*}
    # A library that has only its versioned name is found under the plain one, too.
    [ -z "$file" ] || [ -e "$file" ] || file=$(find "$ort/lib" -name 'libonnxruntime.so*' | sort | tail -n 1)
    if [ -z "$file" ]; then
        say "the build names no ONNX Runtime: the program will look for the system's."
        return 0
    fi
    install -D -m 644 "$file" "$1/libonnxruntime.so"
    [ "$(option_of cuda)" = enabled ] || return 0
    for provider in "$ort"/lib/libonnxruntime_providers_*.so; do
        install -m 644 "$provider" "$1/"
    done
}

# Everything in a folder of its own, as below the prefix.
stage() {
    local ort models share=$work/stage$prefix/share text file sha
    if [ "$(option_of prefix)" != "$prefix" ]; then
        meson setup --reconfigure "$build" -Dprefix="$prefix" >/dev/null
        if [ -f "$build/.options" ]; then # scripts/build.sh's
            sed -i '/^-Dprefix=/d' "$build/.options"
            echo "-Dprefix=$prefix" >>"$build/.options"
        fi
    fi
    libdir=$(option_of libdir)
    DESTDIR=$work/stage meson install -C "$build" --no-rebuild --quiet
    stage_onnxruntime "$work/stage$prefix/$libdir/reprise"

    mkdir -p "$share/reprise/models" "$share/doc/reprise"
    models=$(cat "$build/.models" 2>/dev/null) || models=$(scripts/setup.sh --models-folder)
    while read -r sha file; do
        if [ "$(sha256sum <"$models/$file" 2>/dev/null)" = "$sha  -" ]; then
            install -m 644 "$models/$file" "$share/reprise/models/"
        else
            say "$file of the lite set is not in $models and is not installed; scripts/setup.sh puts it there."
        fi
    done < <(awk '$1 == "file" && $4 ~ "^models/" { print $3, substr($4, 8) }
                  $1 == "made" && $3 ~ "^models/" { print $2, substr($3, 8) }' scripts/pins.txt)
    install -m 644 packaging/copyright "$share/doc/reprise/copyright"
    for text in LICENSE ThirdPartyNotices.txt; do
        file=$ort/$text
        [ -f "$file" ] || file=third_party/onnxruntime/$text
        install -m 644 "$file" "$share/doc/reprise/onnxruntime-$text"
    done
}

# ---- putting it there -----------------------------------------------------------------------------

# Folders of the stage that are not there yet, and those of an earlier installation.
our_folders() {
    local path
    installed folder
    (cd "$work/stage" && find . -type d -printf '/%P\n') | while read -r path; do
        [ -d "$root$path" ] || echo "$path"
    done
}

put() {
    local path
    (cd "$work/stage" && find . ! -type d -printf '/%P\n') | sort >"$work/files"
    our_folders | sort -u >"$work/folders"
    installed file | sort | comm -23 - "$work/files" >"$work/old"
    while read -r path; do
        mkdir -p "$root$path" || exit 1
    done <"$work/folders"
    # Each is a new file: a library that is in use is replaced, not written into.
    while read -r path; do
        cp -P --preserve=mode --remove-destination "$work/stage$path" "$root$path" || exit 1
    done <"$work/files"
    while read -r path; do
        rm -f "$root$path"
    done <"$work/old"
    { sed 's/^/file /' "$work/files"; sed 's/^/folder /' "$work/folders"; } >"$list"
}

# One line if programs linked with the library would not find it.
say_loader() {
    if ! renew_loader; then
        [ -n "$root" ] ||
            say "run ldconfig as root, or set LD_LIBRARY_PATH=$prefix/$libdir, for programs that use the library."
    elif ! PATH=$PATH:/sbin:/usr/sbin ldconfig -p | grep -qF "=> $prefix/$libdir/libreprise.so"; then
        say "the loader does not look in $prefix/$libdir: set LD_LIBRARY_PATH=$prefix/$libdir for programs" \
            "that use the library, or name it in /etc/ld.so.conf.d."
    fi
}

case $prefix in
    /*) ;;
    *) say "PREFIX is $prefix, but must be a path from the root (/)"; exit 2 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$build" = --remove ]; then
    remove
else
    stage
    put
    say_loader
    say "reprise is in $dest/bin"
fi
