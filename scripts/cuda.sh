# shellcheck shell=bash
# CUDA on this machine, for scripts that source this. Nothing of NVIDIA's is ever installed by us.

# Folders where its libraries may be, in the loader's order; pip's packages come last.
cuda_library_folders() {
    tr ':' '\n' <<<"${LD_LIBRARY_PATH:-}"
    { PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null || true; } | sed -n 's|.* => \(/.*\)/libcu[^/]*$|\1|p' | sort -u
    printf '%s\n' ${CUDA_HOME:+"$CUDA_HOME/lib64"} /usr/local/cuda/lib64 /usr/local/cuda-13*/lib64
    python3 -c 'import glob, sys
for p in sys.path: print(*glob.glob(p + "/nvidia/*/lib"), sep="\n")' 2>/dev/null || true
}

# cuda_folder_of LIBRARY: the first folder that has it.
cuda_folder_of() {
    local folder
    while read -r folder; do
        if [ -n "$folder" ] && [ -e "$folder/$1" ]; then
            echo "$folder"
            return 0
        fi
    done <<<"${cuda_folders:-$(cuda_library_folders)}"
    return 1
}

cuda_libraries() {
    cat <<'END'
libcudart.so.13 cudart cuda-cudart-13-0 nvidia-cuda-runtime
libcublas.so.13 cuBLAS libcublas-13-0 nvidia-cublas
libcublasLt.so.13 cuBLAS libcublas-13-0 nvidia-cublas
libcurand.so.10 cuRAND libcurand-13-0 nvidia-curand
libcufft.so.12 cuFFT libcufft-13-0 nvidia-cufft
libcudnn.so.9 cuDNN_9 cudnn9-cuda-13 nvidia-cudnn-cu13
libnvrtc.so.13 NVRTC cuda-nvrtc-13-0 nvidia-cuda-nvrtc
END
}

# What LD_LIBRARY_PATH needs so that all of them are found.
cuda_library_path() {
    local library cuda_folders
    cuda_folders=$(cuda_library_folders)
    while read -r library _; do
        cuda_folder_of "$library" || true
    done < <(cuda_libraries) | awk '!seen[$0]++' | paste -sd:
}

# A sentence for each library that a GPU run will miss.
cuda_say_missing() {
    local library title package wheel cuda_folders
    cuda_folders=$(cuda_library_folders)
    while read -r library title package wheel; do
        cuda_folder_of "$library" >/dev/null ||
            echo "${title/_/ } ($library) is missing: install $package of NVIDIA's CUDA 13 packages for your" \
                "system, or python3 -m pip install $wheel with its folder on LD_LIBRARY_PATH."
    done < <(cuda_libraries)
    cuda_folder_of libcuda.so.1 >/dev/null ||
        echo "no NVIDIA driver (libcuda.so.1) here: to build none is needed, to run one of 580 or newer."
}

# Path of an nvcc of CUDA 13 with its headers; a sentence on stderr when there is none.
cuda_nvcc() {
    local c old=
    for c in ${CUDA_HOME:+"$CUDA_HOME/bin/nvcc"} "$(command -v nvcc)" /usr/local/cuda/bin/nvcc /usr/local/cuda-13*/bin/nvcc; do
        [ -x "$c" ] || continue
        if ! "$c" --version 2>/dev/null | grep -q 'release 13\.'; then
            old=$c
        elif ! "$c" -E -x cu - <<<'#include <cuda_runtime.h>' >/dev/null 2>&1; then
            echo "$c has no cuda_runtime.h: install cuda-cudart-dev-13-0 of NVIDIA's packages (and gcc)." >&2
            return 1
        else
            echo "$c"
            return 0
        fi
    done
    if [ -n "$old" ]; then
        echo "$old is not of CUDA 13, which ONNX Runtime's provider is for: install cuda-toolkit-13-0 of" \
            "NVIDIA's packages, or set CUDA_HOME to one that is there." >&2
    else
        echo "nvcc of CUDA 13 is missing: install cuda-toolkit-13-0 of NVIDIA's packages for your system" \
            "(developer.nvidia.com/cuda-downloads), or set CUDA_HOME to one that is there." >&2
    fi
    return 1
}
