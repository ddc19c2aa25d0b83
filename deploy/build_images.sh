#!/usr/bin/env bash
# Builds the images tru-api and tru-web, labels them, and writes an SPDX list of what is in each:
#
#   deploy/build_images.sh [OPTION...] [api] [web]
#   deploy/build_images.sh [OPTION...] cuda           tru-api:cuda, for NVIDIA GPUs; takes long
#
#   --bases          first make the base image debian:12-slim with debootstrap, for machines
#                    that reach no image registry (needs root and debootstrap)
#   --host-network   build with the host's network
#   --cuda-architectures=LIST
#                    GPUs that tru-api:cuda is for, such as "86-real;90-real"; else all since Turing
#
# Behind a proxy that opens TLS, the certificates in /usr/local/share/ca-certificates are trusted
# while building.
set -euo pipefail
cd "$(dirname "$0")/.."
out=build/images
images=() network=() bases=0 architectures=
for argument in "$@"; do
  case "$argument" in
    --bases) bases=1 ;;
    --host-network) network=(--network host) ;;
    --cuda-architectures=*) architectures="${argument#*=}" ;;
    api | web | cuda) images+=("$argument") ;;
    *)
      sed -n '2,14s/^# \{0,1\}//p' "$0"
      exit 2
      ;;
  esac
done
[ ${#images[@]} -gt 0 ] || images=(api web)
mkdir -p "$out"

# What Debian's own slim image leaves out: documentation, manual pages and translations.
make_base() {
  local root="$out/base" mirror
  rm -rf "$root"
  debootstrap --variant=minbase --components=main bookworm "$root" >"$out/debootstrap.log"
  rm -rf "$root"/usr/share/{doc,man,info,locale,lintian}/* "$root"/var/cache/apt/archives/*.deb \
    "$root"/var/lib/apt/lists/* "$root"/var/log/*.log
  printf 'path-exclude /usr/share/%s/*\n' doc man locale >"$root/etc/dpkg/dpkg.cfg.d/slim"
  mirror="$(sed -n 's/^deb \(.*\) bookworm main.*/\1/p' "$root/etc/apt/sources.list")"
  printf 'deb %s main\n' "$mirror bookworm" "$mirror bookworm-updates" \
    "$mirror-security bookworm-security" >"$root/etc/apt/sources.list"
  tar -C "$root" -c . | docker import --change 'CMD ["bash"]' - debian:12-slim >/dev/null
  rm -rf "$root"
}

# SPDX 2.3, tag-value: the image's packages as dpkg knows them, and what the build adds itself.
write_sbom() { # IMAGE
  local image="$1" file="$out/${1/:/-}.spdx"
  {
    printf 'SPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nSPDXID: SPDXRef-DOCUMENT\n'
    printf 'DocumentName: %s\nDocumentNamespace: urn:tru:%s:%s\n' "$image" "$image" "$revision"
    printf 'Creator: Tool: build_images.sh\nCreated: %s\n' "$(date -u -d "@$epoch" +%FT%TZ)"
    list_packages "$image" | sort -u | while IFS=$'\t' read -r name version license; do
      printf '\nPackageName: %s\nSPDXID: SPDXRef-%s\nPackageVersion: %s\n' \
        "$name" "${name//[^A-Za-z0-9.-]/-}" "$version"
      printf 'PackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\n'
      printf 'PackageLicenseConcluded: %s\nPackageLicenseDeclared: NOASSERTION\n' "$license"
      printf 'PackageCopyrightText: NOASSERTION\n'
    done
  } >"$file"
}

list_packages() { # IMAGE: name, version, license
  printf 'tru\t%s\tApache-2.0\n' "$version"
  case "$1" in
    tru-api*)
      docker run --rm --entrypoint dpkg-query "$1" -W -f '${Package}\t${Version}\tNOASSERTION\n'
      printf 'ggml\t%s\tMIT\n' "$(sed -n 's/^version=//p' tools/fetch_ggml)"
      printf 'ffmpeg\t%s\tLGPL-2.1-or-later\n' "$(docker run --rm --entrypoint cat "$1" \
        /usr/lib/tru/share/tru/ffmpeg-version)"
      if [ "$1" = tru-api:cuda ]; then
        sed -nE 's/^(nvidia-cublas|nvidia-cuda-runtime)==(\S+).*/\1\t\2\tNOASSERTION/p' \
          deploy/cuda/requirements.txt
      fi
      ;;
    tru-web)
      python3 - <<'END'
import json
packages = json.load(open("web/package-lock.json"))["packages"]
for path, package in sorted(packages.items()):
    if path and not package.get("dev"):
        print(path.split("node_modules/")[-1], package.get("version", ""),
              package.get("license", "NOASSERTION"), sep="\t")
END
      ;;
  esac
}

if [ "$bases" = 1 ]; then make_base; fi
version="$(sed -n 's/^project(tru VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)"
revision="$(git rev-parse HEAD 2>/dev/null || echo unknown)"
extra_ca="$(cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true)"
epoch="$(git log -1 --format=%ct 2>/dev/null || date +%s)"
for name in "${images[@]}"; do
  started=$SECONDS
  file="deploy/$name.Dockerfile" image="tru-$name" options=("${network[@]}")
  if [ "$name" = cuda ]; then
    file=deploy/api.Dockerfile image=tru-api:cuda
    options+=(--build-arg CUDA=ON --build-arg CUDA_ARCHITECTURES="$architectures")
  fi
  docker build "${options[@]}" -f "$file" -t "$image" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-arg EXTRA_CA="$extra_ca" . >"$out/$name.log" 2>&1 || {
    tail -n 30 "$out/$name.log"
    echo "error: building $image failed; the whole log is $out/$name.log"
    exit 1
  }
  write_sbom "$image"
  size="$(docker image inspect -f '{{.Size}}' "$image")"
  printf '%s: %d MB, built in %d s, list of contents in %s\n' "$image" $((size / 1000000)) \
    $((SECONDS - started)) "$out/${image/:/-}.spdx"
done
