#!/bin/sh
# Swap one face into every picture and video of a folder:
#
#   batch.sh FACE FOLDER OUTPUT-FOLDER [OPTION...]
#
# A target that the content check refuses, or that is broken, does not end the batch.
set -eu
[ $# -ge 3 ] || { echo "usage: batch.sh FACE FOLDER OUTPUT-FOLDER [OPTION...]" >&2; exit 2; }
face=$1 folder=$2 out=$3
shift 3
mkdir -p "$out"
done=0 refused=0 failed=0
for target in "$folder"/*; do
    [ -f "$target" ] || continue
    code=0
    reprise headless-run -s "$face" -t "$target" -o "$out/${target##*/}" "$@" || code=$?
    case $code in
        0) done=$((done + 1)) ;;
        3) refused=$((refused + 1)) ;;
        4) exit 4 ;; # interrupted
        *) failed=$((failed + 1)) ;;
    esac
done
echo "$done done, $refused refused, $failed failed"
[ $failed = 0 ]
