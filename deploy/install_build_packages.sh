#!/usr/bin/env bash
# Installs what tools/setup.sh lists, so that an image's build and ./run agree. FFmpeg's own
# packages stay away: the image brings its own FFmpeg.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/setup.sh
source tools/setup.sh
packages=()
for package in "${build_packages[@]}"; do
  [[ $package == libav* || $package == libsw* ]] || packages+=("$package")
done
install_packages "${packages[@]}"
