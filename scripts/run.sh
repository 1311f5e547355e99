#!/bin/bash
# The main job, as `make run` does it: swap a face in a clip and leave a before/after picture.
#
#   scripts/run.sh
#
# Environment:
#   SOURCE   picture of the face to put in (default: made from the sample picture)
#   TARGET   picture or video to change (default: a clip made from the sample picture)
#   OUTPUT   the result (default: out/swapped.EXT, EXT as the target's)
#   BUILD    build folder (default: build)
#   REPRISE_OFFLINE=0   fetch FaceFusion's defaults, too, instead of using the lite set
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${BUILD:-build}
case ${XDG_CACHE_HOME:-} in
    /*) media=$XDG_CACHE_HOME/reprise/media ;;
    *) media=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}/.cache/reprise/media ;;
esac
picture=$media/astronaut.png

say() { echo "run: $*" >&2; }
die() { say "$*"; exit 1; }

# The clip and the second face: made again when the picture or the tool is newer.
make_samples() {
    local made=$media/target.mp4 tool=$build/tools/make-sample
    [ -f "$picture" ] || die "$picture is not there: run scripts/setup.sh --media."
    if [ -f "$media/source.png" ] && [ "$made" -nt "$picture" ] && [ "$made" -nt "$tool" ]; then
        return
    fi
    say "making the sample clip."
    "$tool" "$media" "$picture" || die "the sample clip could not be made."
}

check_file() { # NAME PATH
    [ -f "$2" ] || die "$1 is $2, which is not a file."
}

[ -x "$build/reprise" ] || die "$build/reprise is not there: run make."
[ -z "${SOURCE:-}" ] || check_file SOURCE "$SOURCE"
[ -z "${TARGET:-}" ] || check_file TARGET "$TARGET"
if [ -z "${SOURCE:-}" ] || [ -z "${TARGET:-}" ]; then
    make_samples
fi
source=${SOURCE:-$media/source.png}
target=${TARGET:-$media/target.mp4}
output=${OUTPUT:-out/swapped.${target##*.}}
mkdir -p out "$(dirname "$output")"

# Set-up has fetched all that this needs. FaceFusion's default models are 1.2 GB more.
export REPRISE_OFFLINE=${REPRISE_OFFLINE-1}

# The exit code of the program is ours: 3 means the content check refused the target.
"$build/reprise" headless-run --processors face_swapper \
    -s "$source" -t "$target" -o "$output"

say "the result is $output"
if "$build/tools/make-sample" --before-after "$target" "$output" out/before-after.png; then
    say "before and after, side by side: out/before-after.png"
    say "the page for your own pictures and videos: $build/reprise run"
else
    die "out/before-after.png could not be made."
fi
