#!/bin/bash
# scripts/gpu-pack and gpu-unpack: GPU code made by hand and by nvcc, archives there and back, broken
# ones, programs with stubs in place of far libraries. Needs no GPU; the part with nvcc only where it is.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pack=$root/scripts/gpu-pack unpack=$root/scripts/gpu-unpack
passed=0 failed=0 skipped=0

ok() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL: $name"
        sed 's/^/    /' "$work/log"
    fi
}

# fails SENTENCE COMMAND...: ends with an error in one line that holds SENTENCE.
fails() {
    local sentence=$1 said
    shift
    ! said=$("$@" 2>&1 >/dev/null) && [ "$(wc -l <<<"$said")" = 1 ] && grep -qF "$sentence" <<<"$said"
}

lists() { # FILE LINE...: --list says exactly these lines
    local file=$1
    shift
    diff <("$pack" --list "$file") <(printf '%s\n' "$@")
}

# ---- GPU code made by hand -------------------------------------------------------------------------

# An ELF file with .nv_fatbin: three containers; then broken copies of it, each a sentence or right.
make_by_hand() {
    python3 - "$work" <<'END'
import struct, sys
work = sys.argv[1]

def entry(kind, arch, size, header=64):
    head = struct.pack('<HHIQIIII', kind, 0x101, header, size, size, 0, 0, arch)
    return head.ljust(header, b'\0') + bytes([arch]) * size

def container(*entries):
    body = b''.join(entries)
    return struct.pack('<IHHQ', 0xBA55ED50, 1, 16, len(body)) + body

code = (container(entry(2, 75, 40), entry(2, 80, 48), entry(2, 90, 56), entry(2, 120, 64, 112)) + bytes(16) +
        container(entry(2, 90, 8), entry(1, 75, 24)) + container(entry(2, 80, 16), entry(2, 86, 24)) +
        container(entry(1, 75, 32)))
names = b'\0.nv_fatbin\0.shstrtab\0'
at = 64
table = (at + len(code) + len(names) + 7) & ~7
def section(name, kind, offset, size):
    return struct.pack('<IIQQQQIIQQ', name, kind, 0, 0, offset, size, 0, 0, 8, 0)
elf = struct.pack('<16sHHIQQQIHHHHHH', b'\x7fELF\x02\x01\x01', 3, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
data = elf + code + names
data = data.ljust(table, b'\0') + bytes(64) + section(1, 1, at, len(code)) + \
    section(12, 3, at + len(code), len(names))
open(work + '/hand.so', 'wb').write(data)
END
}

# Any change of any byte: an answer or one sentence, never a Python error.
mutate() {
    python3 - "$root/scripts" "$work/hand.so" <<'END'
import random, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import fatbin
good = open(sys.argv[2], 'rb').read()
random.seed(1)
said = 0
for i in range(20000):
    data = bytearray(good)
    for _ in range(random.randint(1, 3)):
        at = random.choice((random.randrange(len(data)), random.randrange(64, 160)))
        data[at] = random.choice((0, 1, 0x7f, 0x80, 0xff, random.randrange(256)))
    if i % 4 == 0:
        del data[random.randrange(len(data)):]
    size = len(data)
    try:
        fatbin.strip(data, 90)
        assert len(data) == size
    except fatbin.Bad:
        said += 1
assert 1000 < said < 20000, said
END
}

make_by_hand
ok 'list' lists "$work/hand.so" 'ptx sm_75: 2 pieces, 56 bytes, 0 of them zeroed' \
    'code sm_75: 1 pieces, 40 bytes, 0 of them zeroed' 'code sm_80: 2 pieces, 64 bytes, 0 of them zeroed' \
    'code sm_86: 1 pieces, 24 bytes, 0 of them zeroed' 'code sm_90: 2 pieces, 64 bytes, 0 of them zeroed' \
    'code sm_120: 1 pieces, 64 bytes, 0 of them zeroed'
ok 'strip 90' "$pack" --strip 90 "$work/hand.so" "$work/hand90.so"
ok 'strip 90: its code stays, and PTX where there is none' lists "$work/hand90.so" \
    'ptx sm_75: 2 pieces, 56 bytes, 1 of them zeroed' \
    'code sm_75: 1 pieces, 40 bytes, 1 of them zeroed' 'code sm_80: 2 pieces, 64 bytes, 2 of them zeroed' \
    'code sm_86: 1 pieces, 24 bytes, 1 of them zeroed' 'code sm_90: 2 pieces, 64 bytes, 0 of them zeroed' \
    'code sm_120: 1 pieces, 64 bytes, 1 of them zeroed'
"$pack" --strip 89 "$work/hand.so" "$work/hand89.so" >/dev/null
ok 'strip 89: the newest of its generation' lists "$work/hand89.so" \
    'ptx sm_75: 2 pieces, 56 bytes, 0 of them zeroed' \
    'code sm_75: 1 pieces, 40 bytes, 1 of them zeroed' 'code sm_80: 2 pieces, 64 bytes, 1 of them zeroed' \
    'code sm_86: 1 pieces, 24 bytes, 0 of them zeroed' 'code sm_90: 2 pieces, 64 bytes, 2 of them zeroed' \
    'code sm_120: 1 pieces, 64 bytes, 1 of them zeroed'
ok 'same size' test "$(stat -c %s "$work/hand.so")" = "$(stat -c %s "$work/hand90.so")"
ok 'no code for it' fails 'it has no code for sm_70' "$pack" --strip 70 "$work/hand.so" "$work/x.so"
ok 'no architecture' fails 'hopper is no GPU architecture' "$pack" --strip hopper "$work/hand.so" "$work/x.so"
head -c 300 "$work/hand.so" >"$work/short.so"
ok 'cut off' fails 'is cut off' "$pack" --strip 90 "$work/short.so" "$work/x.so"
ok 'no ELF file' fails 'is no 64-bit ELF file' "$pack" --list "$root/Makefile"
ok 'not there' fails 'nowhere.so: No such file' "$pack" --list "$work/nowhere.so"
ok '20000 changed files' mutate

# ---- GPU code made by nvcc ------------------------------------------------------------------------

# shellcheck source=scripts/cuda.sh
. "$root/scripts/cuda.sh"

by_nvcc() {
    cat >"$work/k.cu" <<'END'
__global__ void twice(float *p) { p[threadIdx.x] *= 2; }
extern "C" int start(float *p) { twice<<<1, 32>>>(p); return 7; }
END
    "$1" -shared -Xcompiler -fPIC -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 \
        -gencode arch=compute_90,code=compute_90 -o "$work/k.so" "$work/k.cu" &&
        "$pack" --strip 90 "$work/k.so" "$work/k90.so" && "$pack" --list "$work/k90.so" >"$work/list" &&
        awk '/^code sm_90/ && $NF == "zeroed" { code = $(NF - 3) == 0 }
             /^code sm_80/ { old = $3 == $(NF - 3) } /^ptx/ { ptx = $3 == $(NF - 3) }
             END { exit !(code && old && ptx) }' "$work/list" &&
        python3 -c 'import ctypes, sys; assert ctypes.CDLL(sys.argv[1]).start' "$work/k90.so"
}

if nvcc=$(cuda_nvcc 2>/dev/null); then
    ok 'a library of nvcc' by_nvcc "$nvcc"
else
    skipped=$((skipped + 1))
    echo 'skipped: GPU code made by nvcc (no nvcc of CUDA 13)'
fi

# ---- archives -------------------------------------------------------------------------------------

make_home() {
    mkdir -p "$work/home/lib"
    cp "$work/hand.so" "$work/home/lib/libonnxruntime_providers_cuda.so"
    cp /bin/true "$work/home/lib/libonnxruntime.so"
    echo small >"$work/home/lib/libonnxruntime_providers_shared.so"
}

same_home() { # FOLDER
    cmp "$work/home/lib/libonnxruntime.so" "$1/lib/libonnxruntime.so" &&
        cmp "$work/hand90.so" "$1/lib/libonnxruntime_providers_cuda.so" &&
        cmp "$work/home/lib/libonnxruntime_providers_shared.so" "$1/lib/libonnxruntime_providers_shared.so" &&
        [ -z "$(find "$1" -name '*.part')" ]
}

ort() { ORT_HOME=$work/home "$pack" 90 "$1"; }

# retar PYTHON-STATEMENTS: $work/bad.tar, with members (a list of (name, bytes)) changed.
retar() {
    python3 - "$work/ort.tar" "$work/bad.tar" "$1" <<'END'
import io, json, sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    members = [(m.name, tar.extractfile(m).read()) for m in tar]
manifest = json.loads(members[0][1])
exec(sys.argv[3])
members[0] = (members[0][0], json.dumps(manifest).encode())
with tarfile.open(sys.argv[2], 'w') as tar:
    for name, data in members:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
END
}

refuses() { # SENTENCE STATEMENTS
    retar "$2" && rm -rf "$work/there" && fails "$1" "$unpack" "$work/bad.tar" "$work/there" &&
        [ ! -e "$work/outside" ] && [ -z "$(find "$work/there" -name '*.part' 2>/dev/null)" ]
}

make_home
ok 'pack' ort "$work/ort.tar"
ok 'unpack' "$unpack" "$work/ort.tar" "$work/there"
ok 'unpack: the same' same_home "$work/there"
ok 'unpack: right mode' test "$(stat -c %a "$work/there/lib/libonnxruntime.so")" = 644
touch -d 2020-01-01 "$work/there/lib/libonnxruntime.so"
echo broken >"$work/there/lib/libonnxruntime_providers_shared.so"
ok 'unpack again' "$unpack" "$work/ort.tar" "$work/there"
ok 'unpack again: mends what is broken' same_home "$work/there"
ok 'unpack again: leaves the rest' test "$(stat -c %y "$work/there/lib/libonnxruntime.so" | cut -c1-4)" = 2020
ok 'pack again' ort "$work/ort2.tar"
ok 'pack again: the same bytes' cmp "$work/ort.tar" "$work/ort2.tar"
if command -v xz >/dev/null; then
    mkdir -p "$work/nolzma"
    echo 'raise ImportError' >"$work/nolzma/lzma.py"
    ok 'Python without lzma' env PYTHONPATH="$work/nolzma" "$unpack" "$work/ort.tar" "$work/there2"
    ok 'Python without lzma: the same' same_home "$work/there2"
else
    skipped=$((skipped + 1))
    echo 'skipped: Python without lzma (no xz either)'
fi

ok 'wrong content' refuses 'is damaged' 'members[-1] = (members[-1][0], members[-2][1])'
ok 'broken xz' refuses 'cannot be unpacked' 'members[-1] = (members[-1][0], members[-1][1][:-20])'
ok 'more than the manifest says' refuses 'is damaged' 'manifest["files"][-1]["size"] = 1'
ok 'a path upwards' refuses 'it names the file' 'manifest["files"][0]["path"] = "../outside"'
ok 'a path from the root' refuses 'it names the file' "manifest['files'][0]['path'] = '$work/outside'"
ok 'a file too many' refuses 'which its manifest does not name' 'members.append(("outside.xz", b"x"))'
ok 'a file too few' refuses 'is missing in it' 'del members[-1]'
ok 'another version' refuses 'another version' 'manifest["pack"] = 2'
ok 'another manifest' refuses 'cannot be unpacked' 'manifest = [1]'
head -c 4000 "$work/ort.tar" >"$work/bad.tar"
ok 'half an archive' fails 'cannot be unpacked' "$unpack" "$work/bad.tar" "$work/there3"
ok 'no archive' fails 'cannot be unpacked' "$unpack" "$root/Makefile" "$work/there3"
ok 'archive not there' fails 'is not there' "$unpack" "$work/nowhere.tar" "$work/there3"
ok 'no ONNX Runtime' fails 'run scripts/setup.sh --gpu' env ORT_HOME="$work" "$pack" 90 "$work/x.tar"

# ---- programs and their libraries -----------------------------------------------------------------

# reprise calls liba; liba calls libfar, which becomes a stub: versioned functions and an object.
make_programs() {
    local b=$work/build
    mkdir -p "$b"
    echo 'V1 { global: far_old; }; V2 { global: far_new; far_table; };' >"$work/far.map"
    echo 'int far_table[4] = {5}; int far_old(void) { return 3; } int far_new(void) { return 4; } int far_un(void) { return 1; }' |
        cc -shared -fPIC -x c - -o "$b/libfar.so" -Wl,-soname,libfar.so,--version-script="$work/far.map"
    echo 'int far_old(void), far_new(void); extern int far_table[];
        int sum(void) { return 100 + far_old() + far_new() + far_table[0]; }' |
        cc -shared -fPIC -x c - -o "$b/liba.so" -Wl,-soname,liba.so -L"$b" -lfar -Wl,-rpath,"$b"
    echo 'int sum(void), printf(const char *, ...); int main(void) { printf("%d", sum()); return 0; }' |
        cc -x c - -o "$b/reprise" -L"$b" -la -Wl,--disable-new-dtags,-rpath,"$b" -Wl,-rpath-link,"$b"
    mkdir -p "$work/media/deep"
    echo x >"$work/media/deep/x.txt"
}

runs() { # ARCHIVE SUM
    rm -rf "$work/far"
    "$unpack" "$1" "$work/far" && mv "$work/build" "$work/build.away"
    [ "$(LD_BIND_NOW=1 "$work/far/run" build/reprise)" = "$2" ]
    local code=$?
    mv "$work/build.away" "$work/build"
    return $code
}

if make_programs 2>"$work/log"; then
    ok 'programs' "$pack" --binaries "$work/build" "$work/b.tar" --add "$work/media" --add "$root/Makefile=m"
    ok 'programs: run elsewhere, with a stub' runs "$work/b.tar" 100
    ok 'programs: data' test -f "$work/far/data/media/deep/x.txt" -a -f "$work/far/data/m"
    ok 'programs, whole' "$pack" --binaries "$work/build" "$work/b.tar" --whole
    ok 'programs, whole: run elsewhere' runs "$work/b.tar" 112
    ok 'a program that is not there' fails 'has no program checkgpu' \
        "$pack" --binaries "$work/build" "$work/x.tar" --program checkgpu
    rm "$work/build/libfar.so"
    ok 'a library that is not there' fails 'needs libfar.so, which is not on this machine' \
        "$pack" --binaries "$work/build" "$work/x.tar"
else
    skipped=$((skipped + 1))
    echo 'skipped: programs and their libraries (cc cannot build here)'
    sed 's/^/    /' "$work/log"
fi

echo "gpu-pack: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
