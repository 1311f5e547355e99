#!/bin/bash
# A stranger's first steps on a bare Debian 12 (debootstrap's minbase, git and make), from the clone
# to an empty tree: what README promises, with the seconds and megabytes that it takes.
#
#   tests/minbase.sh [root] [user] [deb]     all three without arguments; deb needs root's before it
#
#   root    as root: make run, make install, another user and a C program of 30 lines swap, inspect
#           reads the mark, make uninstall leaves what was there before
#   user    the same as a user with sudo that asks for no password
#   deb     make deb, installed on another bare system, run there and removed
#
# Needs root, debootstrap, the network, and 10 GB in $TMPDIR (/tmp). What is committed is tested. The
# systems take this machine's package sources, certificates and npm settings. $MINBASE may name a
# minbase that was made before.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ "$(id -u)" = 0 ] || { echo "minbase: only root can make a system to change into." >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "minbase: install debootstrap." >&2; exit 1; }
# In a mount namespace of its own: nothing stays mounted, however this ends.
[ -n "${MINBASE_ALONE:-}" ] || MINBASE_ALONE=1 exec unshare --mount --propagation private "$0" "$@"

work=$(mktemp -d "${TMPDIR:-/tmp}/reprise-minbase-XXXXXX")
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    local m
    awk -v w="$work/" 'index($2, w) == 1 { print $2 }' /proc/mounts | sort -r | while read -r m; do
        umount "$m"
    done
    rm -rf --one-file-system "$work"
}
trap clean_up EXIT
passed=0 failed=0

# ---- systems --------------------------------------------------------------------------------------

make_base() {
    local mirror
    if [ -n "${MINBASE:-}" ]; then
        cp -a "$MINBASE" "$work/base"
    else
        # shellcheck disable=SC2016 # apt's own variables
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
        debootstrap --variant=minbase --include=git,make,ca-certificates bookworm "$work/base" \
            "${mirror:-http://deb.debian.org/debian}" >"$work/log" 2>&1
    fi
    rm -f "$work/base/etc/apt/sources.list" "$work/base/var/cache/apt/archives"/*.deb
    cp -a /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/keyrings /etc/apt/auth.conf.d \
        "$work/base/etc/apt/" 2>/dev/null || true
    cp /etc/apt/apt.conf.d/9* "$work/base/etc/apt/apt.conf.d/" 2>/dev/null || true
    cp -L /etc/resolv.conf /etc/hosts "$work/base/etc/"
    cp -L /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
    git bundle create "$work/base/srv/reprise.bundle" HEAD >"$work/log" 2>&1
}

# system NAME: a bare system with a developer and another user.
system() {
    local root=$work/$1 user
    cp -a "$work/base" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    for user in dev other; do
        chroot "$root" useradd -m -s /bin/bash $user
    done
    for user in root home/dev; do
        [ ! -f ~/.npmrc ] || install -m 644 ~/.npmrc "$root/$user/.npmrc"
    done
}

# in_system NAME USER COMMAND: a login shell of that user.
in_system() {
    chroot "$work/$1" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
        npm_config_registry="$(npm config get registry 2>/dev/null || echo https://registry.npmjs.org/)" \
        su -m "$2" -c "export HOME=~$2; cd; $3" </dev/null
}

megabytes() { du -smx "$work/$1" | cut -f1; }

# step SYSTEM USER TITLE COMMAND: a line with what it took, in seconds by the clock, seconds of a
# processor (which other work hardly changes), megabytes; the end of what it said if it failed.
step() {
    local begin=$SECONDS before code=0 log=$work/log-$1 TIMEFORMAT='%U %S'
    before=$(megabytes "$1")
    { time in_system "$1" "$2" "set -e; $4" >"$log" 2>&1; } 2>"$work/time" || code=$?
    cat "$log" >>"$work/all-$1"
    if [ $code = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        tail -n 20 "$log" | sed 's/^/    /'
    fi
    printf '%-6s %-5s %-38s %4d s %4d s CPU %+6d MB%s\n' "$1" "$2" "$3" $((SECONDS - begin)) \
        "$(awk '{ print int($1 + $2 + 0.5) }' "$work/time")" $(($(megabytes "$1") - before)) "$([ $code = 0 ] || echo '  FAILED')"
}

# All that is not somebody's home, a log or a cache.
tree() {
    (cd "$work/$1" && find . -xdev \( -path ./root -o -path ./home -o -path ./var -o -path ./tmp -o -path ./srv \) \
        -prune -o -printf '%P %y %m\n' | sort)
}

# ---- what is tried --------------------------------------------------------------------------------

first_steps() { # SYSTEM USER SUDO
    local s=$1 u=$2 sudo=$3
    step "$s" "$u" 'git clone' 'git clone -q /srv/reprise.bundle reprise'
    step "$s" "$u" 'make run' 'cd reprise && make run && [ -s out/swapped.mp4 ]'
    grep -hE 'Need to get|After this operation|Fetched|fetching' "$work/log-$s" | sed 's/^/           /' || true
    step "$s" "$u" 'make run again' 'cd reprise && make run'
    tree "$s" >"$work/before-$s"
    step "$s" "$u" 'make install' "cd reprise && $sudo make install"
    step "$s" root 'pictures for the other user' "cp ~$u/.cache/reprise/media/*.png /srv"
    step "$s" other 'another user swaps with the program' \
        'reprise headless-run -s /srv/source.png -t /srv/astronaut.png -o a.png && reprise inspect a.png | grep face_swapper'
    step "$s" root 'the C program for the other user' "cp ~$u/reprise/examples/picture.c /srv"
    # shellcheck disable=SC2016 # for the shell in there
    step "$s" other 'another user swaps with a C program' \
        'cc /srv/picture.c -o picture $(pkg-config --cflags --libs reprise) &&
         ./picture /srv/source.png /srv/astronaut.png b.png && reprise inspect b.png | grep face_swapper'
    step "$s" "$u" 'make uninstall' "cd reprise && $sudo make uninstall"
    tree "$s" >"$work/after-$s"
    if diff "$work/before-$s" "$work/after-$s"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$s: make uninstall left the above"
    fi
}

as_root() {
    system root
    first_steps root root ''
}

as_user() {
    system user
    step user root 'sudo' 'apt-get -q update && apt-get -qy install --no-install-recommends sudo &&
        echo "dev ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/dev'
    first_steps user dev sudo
}

package() {
    step root root 'make deb' 'cd reprise && make deb'
    system deb
    cp "$work"/root/root/reprise/out/reprise_*.deb "$work"/root/srv/*.png "$work/deb/srv/"
    step deb root 'apt-get install ./reprise.deb' \
        'apt-get -q update && apt-get -qy install --no-install-recommends /srv/reprise_*.deb'
    step deb other 'another user swaps' \
        'reprise headless-run -s /srv/source.png -t /srv/astronaut.png -o a.png && reprise inspect a.png | grep face_swapper'
    step deb root 'apt-get purge' 'apt-get -qy purge reprise && ! ls -d /usr/share/reprise /usr/bin/reprise /usr/lib/*/libreprise*'
}

main() {
    local what
    make_base
    [ $# -gt 0 ] || set -- root user deb
    for what; do
        case $what in
            root) as_root ;;
            user) as_user ;;
            deb) package ;;
            *) echo "minbase: there are root, user and deb, not $what." >&2; exit 2 ;;
        esac
    done
    echo "minbase: $passed passed, $failed failed"
    [ $failed = 0 ]
}

main "$@" # at the end: Bash has read all of the file by then
exit
