# Shared by the scripts. Source it; it sets nothing but functions and the start time.

TOWLINE_STARTED=${TOWLINE_STARTED:-$SECONDS}

# say TEXT...: a line of progress with the seconds since the script began, on standard error.
say() { printf '[%4ds] %s\n' "$((SECONDS - TOWLINE_STARTED))" "$*" >&2; }

# die TEXT...: the last word of a script that cannot go on.
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# ensure_packages NAME...: installs the Debian packages that are missing.
ensure_packages() {
  local missing=() name
  for name in "$@"; do
    [[ $name == nodejs || $name == npm ]] && node_is_recent && continue  # from elsewhere; Debian's would take its place
    [[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" == installed ]] || missing+=("$name")
  done
  ((${#missing[@]} == 0)) && return 0
  [[ $EUID -eq 0 ]] || die "these packages are missing and only root can install them: ${missing[*]}"
  say "installing ${#missing[@]} packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { update_packages_once && policy_free_install "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get failed; its whole output is in $log"
  fi
  rm -f "$log"
}

# The web page is built with vite, which needs Node.js 20.19 and npm.
node_is_recent() {
  command -v npm >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a * 100 + +b < 2019 ? 1 : 0)' \
    2>/dev/null
}

# ensure_node: where the system's Node.js is too old, gets one for the build alone.
ensure_node() {
  node_is_recent && return 0
  local runtime=web/runtime
  compgen -G "$runtime/node_modules/node-linux-*/bin/node" >/dev/null && return 0
  say "getting a newer Node.js for building the web page"
  npm ci --prefix "$runtime" --loglevel=error >&2 || die "npm ci in $runtime failed"
}

update_packages_once() {
  [[ -n ${TOWLINE_APT_UPDATED:-} ]] || apt-get update -qq || return 1
  export TOWLINE_APT_UPDATED=1  # for the scripts that this one runs, too
}

# Services that packages bring (nginx, etcd, containerd) must not start by themselves: the scripts start what they need.
policy_free_install() {
  local policy=/usr/sbin/policy-rc.d made=
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    made=1
  fi
  local result=0
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" || result=$?
  [[ -n $made ]] && rm -f "$policy"
  return $result
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; false (and says so) when it did not in time.
wait_for() {
  local limit=$1 what=$2 end
  shift 2
  end=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= end)); then
      say "waited $limit s in vain for $what"
      return 1
    fi
    sleep 0.2
  done
}

# alive PIDFILE [NAME]: the process of that file runs, and is the one that is meant.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [[ -n $pid && -d /proc/$pid ]] || return 1
  [[ -z ${2:-} ]] || tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q -- "$2"
}

# stop_pidfile PIDFILE [NAME]: ends that process, gently first.
stop_pidfile() {
  alive "$1" "${2:-}" || { rm -f "$1"; return 0; }
  local pid
  pid=$(cat "$1")
  kill "$pid" 2>/dev/null || true
  local i
  for ((i = 0; i < 50; i++)); do
    [[ -d /proc/$pid ]] || break
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$1"
}

# packages_for PURPOSE...: the names in scripts/packages.txt that serve one of these purposes.
packages_for() {
  local file purpose
  file=$(dirname "${BASH_SOURCE[0]}")/../packages.txt
  for purpose in "$@"; do
    awk -v purpose="$purpose" '!/^#/ {for (i = 2; i <= NF; i++) if ($i == purpose) print $1}' "$file"
  done | sort -u
}

# build PRESET [TARGET...]: configures where needed and builds, with the progress on the terminal and in a log.
build() {
  local preset=$1 log
  shift
  log=build/$preset.log
  mkdir -p build
  # Clones in other folders share what ccache has compiled.
  export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
  ensure_node
  if [[ ! -f build/$preset/build.ninja ]]; then
    say "configuring the preset $preset"
    cmake --preset "$preset" >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "cmake failed; see $log"; }
  fi
  say "building the preset $preset${*:+: $*}"
  local targets=()
  (($# > 0)) && targets=(--target "$@")
  if ! cmake --build --preset "$preset" "${targets[@]}" >"$log" 2>&1; then
    grep -E -A12 'error|FAILED|undefined' "$log" | head -n 60 >&2
    die "the build failed; see $log"
  fi
}
