#!/bin/bash
# Make a Debian package of program, library, headers, ONNX Runtime and the lite models.
#
#   scripts/deb.sh BUILD OUT      OUT: folder for reprise_VERSION_amd64.deb; BUILD: a folder of its own
#
# With Debian's own dpkg-shlibdeps and dpkg-deb. It depends on the libraries of the release that it is
# made on. lintian looks at it if it is there, and an error of it is a failure.
#
# Environment: DEBFULLNAME, DEBEMAIL (who made it; else as Git knows), SOURCE_DATE_EPOCH.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=$1 out=$2
say() { echo "deb: $*" >&2; }

ort=$(scripts/setup.sh --deb)
multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
version=$(sed -n 's/^#define RP_VERSION_[A-Z]* \([0-9]*\)$/\1/p' include/reprise/version.h | paste -sd.)
name=${DEBFULLNAME:-$(git log -1 --format=%an 2>/dev/null || echo nobody)}
email=${DEBEMAIL:-$(git log -1 --format=%ae 2>/dev/null || echo nobody@invalid)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}

# Without ort_home: no path of this machine gets into the package.
[ -f "$build/build.ninja" ] || meson setup "$build" --buildtype=release --prefix=/usr \
    --libdir="lib/$multiarch" -Dtests=false -Dbench=false -Dcuda=disabled -Dmedia=enabled >&2
ninja -C "$build" >&2
echo "$ort" >"$build/.ort_home"
scripts/setup.sh --models-folder >"$build/.models"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
scripts/install.sh "$build" "$root" /usr 2>&1 | grep -v 'reprise is in' >&2 || true
rm "$root/usr/share/reprise/installed"

# ---- as Debian wants it ---------------------------------------------------------------------------

strip --strip-unneeded --remove-section=.comment --remove-section=.note "$root/usr/bin/reprise" \
    "$root/usr/lib/$multiarch"/libreprise.so.*.*.*
gzip -9n "$root/usr/share/man/man1/reprise.1"
doc=$root/usr/share/doc/reprise
rm "$doc/onnxruntime-LICENSE" # in copyright
gzip -9n "$doc/onnxruntime-ThirdPartyNotices.txt"
# NEWS as a changelog: its lines are indented as Debian wants them already.
awk -v end=" -- $name <$email>  $(date -Rd "@$SOURCE_DATE_EPOCH")" '
    /^reprise / { if (n++) print "\n" end "\n"; print "reprise (" $2 ") unstable; urgency=medium"; next }
    { print } END { print "\n" end }' NEWS | gzip -9n >"$doc/changelog.gz"
mkdir -p "$root/usr/share/lintian/overrides" "$root/DEBIAN" "$work/debian"
cat >"$root/usr/share/lintian/overrides/reprise" <<'END'
# Program and library in one, and for programs that are built with it.
reprise: package-name-doesnt-match-sonames *
reprise: link-to-shared-library-in-wrong-package *
# ONNX Runtime is its makers' build: Debian 12 has none. What it could report is switched off.
reprise: embedded-library curl *
reprise: embedded-library mbedtls *
END

# ---- what it is -----------------------------------------------------------------------------------

printf 'Source: reprise\n\nPackage: reprise\nArchitecture: amd64\n' >"$work/debian/control"
lib=$root/usr/lib/$multiarch
depends=$(cd "$work" && dpkg-shlibdeps -O "root/usr/bin/reprise" "$lib"/libreprise.so.*.*.* \
    "$lib/reprise/libonnxruntime.so" 2>/dev/null | sed 's/^shlibs:Depends=//')
soversion=$(readelf -d "$lib/libreprise.so" | sed -n 's/.*SONAME.*\[libreprise\.so\.\(.*\)\]/\1/p')
echo "libreprise $soversion reprise (>= $version)" >"$root/DEBIAN/shlibs"
echo 'activate-noawait ldconfig' >"$root/DEBIAN/triggers"
cat >"$root/DEBIAN/control" <<END
Package: reprise
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: $name <$email>
Installed-Size: $(du -sk --apparent-size "$root/usr" | cut -f1)
Depends: $depends
Recommends: ca-certificates
Section: video
Priority: optional
Description: faces in pictures and video: swap, restore, edit, blur
 reprise finds faces in pictures and video and swaps, restores, edits, ages,
 lip-syncs or blurs them; it colours and enlarges frames and removes
 backgrounds, with the model files and option names of FaceFusion.
 .
 The program, the library with its header, ONNX Runtime and a small set of
 models that needs no download are in this package. Every output says that it
 is synthetic media.
END
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
mkdir -p "$out"
file=$out/reprise_${version}_$(dpkg --print-architecture).deb
dpkg-deb --build --root-owner-group "$root" "$file" >&2
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error "$file" >&2
else
    say "lintian is not here and has not looked at it."
fi
say "$file, $(du -m --apparent-size "$file" | cut -f1) MB"
