#!/bin/sh
# The man page: the text with the program's options in the place of the line '.\" OPTIONS'.
# Usage: man.sh PROGRAM TEXT
set -eu

options=$("$1" help --man)
while IFS= read -r line; do
    if [ "$line" = '.\" OPTIONS' ]; then
        printf '%s\n' "$options"
    else
        printf '%s\n' "$line"
    fi
done <"$2"
