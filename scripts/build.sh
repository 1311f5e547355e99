#!/bin/bash
# Set up and build.
#
#   scripts/build.sh FOLDER [--media] [--tests] [--gpu] [-DNAME=VALUE...]
#
# --media, --tests and --gpu are set-up's. A new build folder is a release build without tests and
# benchmarks, unless --tests or options say else (--tests -Dtests=false: what they need, but not they
# themselves); in a folder that is there only what is named here, or was changed by set-up, is changed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$1
shift
setup=() options=()
for arg; do
    case $arg in
        -D*) options+=("$arg") ;;
        *) setup+=("$arg") ;;
    esac
done

# What was asked for before, an option a line.
stamp=$folder/.options

# Once built with CUDA, a folder stays so until -Dcuda=disabled.
case " ${setup[*]} ${options[*]} " in
    *' -Dcuda=disabled '*) ;;
    *' --gpu '*) options+=(-Dcuda=enabled) ;;
    *) ! grep -qxF -- -Dcuda=enabled "$stamp" 2>/dev/null || setup+=(--gpu) ;;
esac
case " ${setup[*]} " in
    *' --gpu '*)
        # shellcheck source=scripts/cuda.sh
        . scripts/cuda.sh
        nvcc=$(cuda_nvcc) || exit 1
        PATH=$(dirname "$nvcc"):$PATH
        case " ${options[*]} " in
            *' -Dcuda=enabled '*) cuda_say_missing >&2 ;;
        esac ;;
esac

ort=$(scripts/setup.sh "${setup[@]}")
options+=("-Dort_home=$ort")
case " ${setup[*]} ${options[*]} " in
    *' -Dtests='*) ;;
    *' --tests '*) options+=(-Dtests=true) ;;
esac

touch_stamp() {
    local o old
    old=$(cat "$stamp" 2>/dev/null) || old=
    for o in "${options[@]}"; do
        old=$(grep -v -e "^${o%%=*}=" <<<"$old") || old=
        old+=$'\n'$o
    done
    sed '/^$/d' <<<"$old" >"$stamp"
}

if [ ! -f "$folder/build.ninja" ]; then
    meson setup "$folder" --buildtype=release -Dtests=false -Dbench=false "${options[@]}" >&2
else
    changed=()
    for o in "${options[@]}"; do
        grep -qxF -- "$o" "$stamp" 2>/dev/null || changed+=("$o")
    done
    [ ${#changed[@]} = 0 ] || meson configure "$folder" "${changed[@]}" >&2
fi
touch_stamp
echo "$ort" >"$folder/.ort_home"
scripts/setup.sh --models-folder >"$folder/.models"
exec ninja -C "$folder" >&2
