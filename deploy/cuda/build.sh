#!/usr/bin/env bash
# deploy/cuda/build.sh FOLDER: ggml's CUDA back end into FOLDER/bin, and what it needs of NVIDIA's
# libraries into FOLDER/lib. CUDA comes from PyPI, as ggml does: NVIDIA publishes compiler and
# libraries there too, and no base image with Debian.
#
#   CUDA_ARCHITECTURES   such as "86-real;90-real"; all that ggml chooses if unset or empty
set -euo pipefail
folder="$1"
cd "$(dirname "$0")/../.."
packages=/opt/cuda
cuda="$packages/nvidia/cu13"
libraries=(libcudart.so.13 libcublas.so.13 libcublasLt.so.13)

python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
  --no-deps --require-hashes --target "$packages" -r deploy/cuda/requirements.txt
# The names that linkers look for are not in the packages. Nor is libcuda.so.1, which belongs to the
# driver and comes from the host: an empty library stands for it here.
ln -s lib "$cuda/lib64"
for library in "${libraries[@]}"; do ln -s "$library" "$cuda/lib/${library%.13}"; done
mkdir "$cuda/lib/stubs"
gcc -shared -Wl,-soname=libcuda.so.1 -o "$cuda/lib/stubs/libcuda.so" -x c /dev/null

# TRU keeps keys and values as f16. NCCL would be for several GPUs at once. Debian's compiler leaves
# out libraries that no symbol is found in, such as the driver's stand-in.
cmake -G Ninja -S deploy/cuda -B /tmp/cuda -DCMAKE_BUILD_TYPE=Release \
  -DTRU_GGML_DIR="$PWD/third_party/ggml" -DCUDAToolkit_ROOT="$cuda" \
  -DCMAKE_CUDA_COMPILER="$cuda/bin/nvcc" -DCMAKE_MODULE_LINKER_FLAGS=-Wl,--no-as-needed \
  -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON "-DCMAKE_INSTALL_RPATH=\$ORIGIN;\$ORIGIN/../lib" \
  -DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF -DGGML_CUDA_FA_QUANTS=f16-f16 \
  ${CUDA_ARCHITECTURES:+"-DCMAKE_CUDA_ARCHITECTURES=$CUDA_ARCHITECTURES"}
ninja -C /tmp/cuda ggml-cuda
install -D -s -t "$folder/bin" /tmp/cuda/bin/libggml-cuda.so
install -D -m 0644 -t "$folder/lib" "${libraries[@]/#/$cuda/lib/}"
