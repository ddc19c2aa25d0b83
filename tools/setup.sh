# What ./run and ./test share: packages, ggml, configure, build. Sourced by both, in the folder
# `root`; everything it says goes to stderr, because stdout belongs to the program's answer.
# shellcheck shell=bash disable=SC2034

# Each entry is one package, or alternatives by preference: Debian 12 has Boost 1.81 beside its
# default 1.74, Debian 13 and Ubuntu 24.04 have 1.83.
readonly build_packages=(
  build-essential cmake ninja-build ccache pkg-config python3 python3-pip
  libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libavfilter-dev
  libexpected-dev libfmt-dev libcli11-dev libpcre2-dev libutf8proc-dev libjpeg-dev
  prometheus-cpp-dev libssl-dev
  libcurl4-openssl-dev libpng-dev ca-certificates
  "libboost-json1.81-dev|libboost-json1.83-dev|libboost-json-dev"
)
readonly test_packages=(libgtest-dev libgmock-dev openssl ffmpeg xz-utils python3-venv)

say() { printf 'tru: %s\n' "$*" >&2; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# logged LOG WHAT COMMAND...: runs a command whose output goes to build/LOG. On failure shows how
# that ends and stops.
logged() {
  local log="build/$1" what="$2"
  shift 2
  mkdir -p build
  "$@" >"$log" 2>&1 </dev/null || fail_with_log "$log" "$what"
}

# Compilers and linkers say what is wrong right after ninja's first "FAILED"; other programs, last.
fail_with_log() {
  { grep -m 1 -A 25 '^FAILED' "$1" || tail -n 25 "$1"; } >&2
  die "$2 failed; the whole log is $1"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

installed() { # of PACKAGE|PACKAGE..., is one installed?
  local name
  for name in ${1//|/ }; do
    [[ $known_packages == *" $name "* ]] && return 0
  done
  return 1
}

first_available() { # of PACKAGE|PACKAGE..., the first that apt can install
  local name
  for name in ${1//|/ }; do
    if apt-cache show "$name" >/dev/null 2>&1; then
      echo "$name"
      return
    fi
  done
  die "apt has none of ${1//|/, }: Debian 12, Debian 13 and Ubuntu 24.04 are supported"
}

# install_packages PACKAGE...: those that are missing. No apt, no root and no network if none is.
install_packages() {
  local entry missing=() names=() name
  command -v dpkg-query >/dev/null ||
    die "set-up needs apt: Debian 12, Debian 13 and Ubuntu 24.04 are supported"
  # shellcheck disable=SC2016  # dpkg's own fields
  known_packages=" $(dpkg-query -W -f '${Package}:${db:Status-Status}\n' |
    sed -n 's/:installed$//p' | tr '\n' ' ') "
  for entry in "$@"; do
    installed "$entry" || missing+=("$entry")
  done
  if [ ${#missing[@]} = 0 ]; then return; fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "packages are missing (${missing[*]}); run this once as root, or install sudo"
  fi
  say "updating the package lists"
  logged apt.log "apt-get update" as_root apt-get update
  for entry in "${missing[@]}"; do
    name="$(first_available "$entry")" || exit
    names+=("$name")
  done
  say "installing ${#names[@]} packages: ${names[*]}"
  logged apt.log "apt-get install" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 "${names[@]}"
}

# build PRESET FOLDER TARGET...: configures FOLDER if that was not done, then brings TARGETs up to
# date. ninja notices changed, added and removed sources itself and is quick when there are none.
build() {
  local preset="$1" folder="$2" log
  shift 2
  mkdir -p build "$folder"
  (
    if ! flock -n 9; then
      say "waiting for another build in this folder"
      flock 9
    fi
    if [ ! -e "$folder/build.ninja" ]; then
      say "configuring $folder"
      logged "configure-$preset.log" "configuring" cmake --preset "$preset"
    fi
    # Paths below this folder do not count: a second clone finds what the first one compiled.
    export CCACHE_BASEDIR="$PWD" CCACHE_NOHASHDIR=1
    log="build/build-$preset.log"
    NINJA_STATUS='[%f/%t] ' ninja -C "$folder" "$@" 2>&1 </dev/null | tee "$log" |
      show_progress "$folder" || fail_with_log "$log" "building"
  ) 9>"$folder/.lock"
}

show_progress() { # reads ninja's lines; one line that moves on a terminal, else one per tenth
  local line percent shown=-1
  while IFS= read -r line; do
    [[ $line =~ ^\[([1-9][0-9]*)/([0-9]+)\] ]] || continue
    percent=$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))
    if [ -t 2 ]; then
      printf '\rtru: building in %s: %3d%%, step %d of %d' "$1" "$percent" \
        "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
    elif [ $((percent / 10)) -gt $((shown / 10)) ] || [ "$shown" = -1 ]; then
      say "building in $1: step ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
    fi
    shown=$percent
  done
  if [ -t 2 ] && [ "$shown" -ge 0 ]; then echo >&2; fi
}

# set_up PACKAGE...: these packages and ggml's sources (nothing to do if the pinned ones are there).
set_up() {
  install_packages "$@"
  tools/fetch_ggml >&2
}
