#!/bin/sh
# Files as C arrays, for a header on stdout: embed.sh FILE...; app.js becomes web_app_js.
set -eu

for file in "$@"; do
    name=web_$(basename "$file" | tr . _)
    printf 'static const unsigned char %s[] = {\n' "$name"
    od -An -v -tu1 "$file" | sed 's/ *\([0-9][0-9]*\)/\1,/g'
    printf '};\n'
done
