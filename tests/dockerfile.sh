#!/bin/bash
# The Dockerfile, built and used: `make check-dockerfile`, as root on Debian.
#
#   tests/dockerfile.sh [BUILD]
#
# By buildah, which needs no daemon, and from no registry: the base is debootstrap's minbase under the
# name that the Dockerfile gives it. What is committed is built. buildah and debootstrap are installed
# from Debian's packages if they are missing; needs the network and 6 GB in $TMPDIR (/tmp). The base
# takes this machine's own certificates. $MINBASE may name a minbase that was made before.
# shellcheck disable=SC2317 # step calls most functions
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ "$(id -u)" = 0 ] || { echo "dockerfile: only root can make a system to change into." >&2; exit 1; }
# In a mount namespace of its own: nothing stays mounted, however this ends.
[ -n "${ALONE:-}" ] || ALONE=1 exec unshare --mount --propagation private "$0" "$@"

work=$(mktemp -d "${TMPDIR:-/tmp}/reprise-dockerfile-XXXXXX")
clean_up() {
    local m
    awk -v w="$work/" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | while read -r m; do
        umount "$m"
    done
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
passed=0 failed=0
build=$(realpath "${1:-build}")
export BUILDAH_ISOLATION=chroot

missing=()
for package in buildah debootstrap; do
    dpkg-query -W -f '${db:Status-Status}' $package 2>&1 | grep -qx installed || missing+=("$package")
done
[ ${#missing[@]} = 0 ] || apt-get install -qy --no-install-recommends "${missing[@]}" >&2

# Its images and containers are here and not the machine's.
box() { command buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

# The first failure ends what is tried, which it would not in a condition.
apart() (
    set -e
    "$@"
)

# step TITLE COMMAND...: a line with what it took; the end of what it said if it failed.
step() {
    local begin=$SECONDS code=0 title=$1 TIMEFORMAT='%U %S'
    shift
    set +e
    { time apart "$@" >"$work/log" 2>&1; } 2>"$work/time"
    code=$?
    set -e
    if [ $code = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 20 "$work/log" | sed 's/^/    /'
    fi
    printf '%-38s %4d s %4d s CPU%s\n' "$title" $((SECONDS - begin)) \
        "$(awk '{ print int($1 + $2 + 0.5) }' "$work/time")" "$([ $code = 0 ] || echo '  FAILED')"
}

# The images that it begins with: those that are no stage of its own.
bases() {
    awk 'toupper($1) == "FROM" { if (!($2 in own)) print $2; if (toupper($3) == "AS") own[$4] = 1 }' Dockerfile |
        sort -u
}

make_bases() {
    local system=${MINBASE:-$work/base} mirror name container root
    if [ -z "${MINBASE:-}" ]; then
        # shellcheck disable=SC2016 # apt's own variables
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
        debootstrap --variant=minbase bookworm "$system" "${mirror:-http://deb.debian.org/debian}"
        mkdir -p "$system/usr/local/share/ca-certificates"
        find /usr/local/share/ca-certificates -name '*.crt' \
            -exec cp -t "$system/usr/local/share/ca-certificates" {} +
        find /etc/apt/apt.conf.d -name '9*' -exec cp -t "$system/etc/apt/apt.conf.d" {} +
        rm -rf "$system"/var/lib/apt/lists/* "$system"/var/cache/apt/archives/*.deb
    fi
    container=$(box from scratch)
    root=$(box mount "$container")
    tar -C "$system" -c . | tar -C "$root" -x
    box umount "$container"
    for name in $(bases); do
        box commit "$container" "docker.io/library/$name"
    done
    box rm "$container"
}

build() {
    mkdir "$work/source"
    git archive HEAD | tar -C "$work/source" -x
    box bud --pull-never --layers=false -t reprise "$work/source"
}

# program USER WORD...: as `docker run --rm -v DATA:/data --user USER reprise WORD...` does.
program() {
    local user=$1 entry
    shift
    entry=$(box inspect --type container --format '{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}' "$container")
    # shellcheck disable=SC2086 # words
    box run ${user:+--user "$user"} -v "$work/data:/data" "$container" -- $entry "$@"
}

swap() { # USER OUTPUT
    program "$1" headless-run -s source.png -t astronaut.png -o "$2"
    program "$1" inspect "$2" | grep face_swapper
}

by_its_user() {
    [ "$(box inspect --type container --format '{{.OCIv1.Config.User}}' "$container")" != '' ]
    swap '' a.png
}

megabytes() {
    echo "the image: $(du -smx "$(box mount "$container")" | cut -f1) MB, of which the base is" \
        "$(du -smx "${MINBASE:-$work/base}" | cut -f1) MB"
}

main() {
    local picture=${XDG_CACHE_HOME:-$HOME/.cache}/reprise/media/astronaut.png
    install -d -m 777 "$work/data"
    "$build/tools/make-sample" "$work/data" "$picture" # before what takes long
    step "the base: $(bases | paste -sd' ')" make_bases
    [ $failed != 0 ] || step 'build' build
    if [ $failed = 0 ]; then
        container=$(box from --pull-never localhost/reprise)
        install -m 644 "$picture" "$work/data"
        step 'a swap by the user of the image' by_its_user
        step 'a swap by a user that it does not know' swap 4321:4321 b.png
        megabytes
    fi
    echo "dockerfile: $passed passed, $failed failed"
    [ $failed = 0 ]
}

main "$@" # at the end: Bash has read all of the file by then
exit
