# containerd, kubelet and kube-proxy: a node that runs pods. Sockets, state and networks are the cluster's own.

CONTAINERD_SOCKET=$RUN/containerd.sock
ctr_() { ctr --address "$CONTAINERD_SOCKET" -n k8s.io "$@"; }
node_ready() { kubectl get nodes devnode -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null | grep -q True; }

start_node() {
  write_node_files
  say "starting containerd"
  start containerd containerd --config "$STATE/containerd.toml"
  ready containerd 30 ctr --address "$CONTAINERD_SOCKET" version
  import_images
  say "starting kubelet and kube-proxy"
  start kubelet "$BIN/kubelet" --config="$STATE/kubelet.yaml" --kubeconfig="$STATE/kubelet.kubeconfig" \
    --container-runtime=remote --container-runtime-endpoint="unix://$CONTAINERD_SOCKET" --node-ip="$NODE_IP" \
    --hostname-override=devnode --root-dir="$STATE/kubelet" --cert-dir="$STATE/kubelet-pki" \
    --register-node=true --network-plugin=cni
  start kube-proxy "$BIN/kube-proxy" --config="$STATE/proxy.yaml" --hostname-override=devnode
  ready kubelet 90 node_ready
}

write_node_files() {
  mkdir -p "$STATE/cni" "$STATE/kubelet"
  cat >"$STATE/containerd.toml" <<TEXT
version = 2
root = "$STATE/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$CONTAINERD_SOCKET"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  # Without CAP_SYS_RESOURCE, as in many virtual machines, lowering the OOM score fails and every pod with it.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    snapshotter = "${TOWLINE_DEVCLUSTER_SNAPSHOTTER:-native}"
TEXT
  cat >"$STATE/cni/10-devpods.conflist" <<TEXT
{"cniVersion": "0.4.0", "name": "devpods", "plugins": [
  {"type": "bridge", "bridge": "$POD_LINK", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$STATE/cni-ipam", "ranges": [[{"subnet": "$POD_RANGE"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
TEXT
  cat >"$STATE/kubelet.yaml" <<TEXT
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
port: 20250
healthzPort: 20248
readOnlyPort: 0
cgroupDriver: cgroupfs
failSwapOn: false
tlsCertFile: $PKI/kubelet-server.crt
tlsPrivateKeyFile: $PKI/kubelet-server.key
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
resolvConf: /dev/null
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 100Mi}
# No limits are enforced here, and the cgroup hierarchy of a sandbox may not allow it.
cgroupsPerQOS: false
enforceNodeAllocatable: []
TEXT
  cat >"$STATE/proxy.yaml" <<TEXT
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $STATE/proxy.kubeconfig}
clusterCIDR: $POD_RANGE
mode: iptables
healthzBindAddress: 127.0.0.1:20256
metricsBindAddress: 127.0.0.1:20249
conntrack: {maxPerCore: 0}
TEXT
}

# image NAME FOLDER ENTRYPOINT: a docker-archive with one layer, made with tar and jq alone.
image() {
  local name=$1 root=$2 entrypoint=$3 work layer config
  work=$(mktemp -d)
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$root" -cf "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  jq -nc --arg layer "sha256:$layer" --arg entry "$entrypoint" \
    '{architecture: "amd64", os: "linux", config: {Entrypoint: [$entry], Env: ["PATH=/bin"]},
      rootfs: {type: "layers", diff_ids: [$layer]}}' >"$work/config.json"
  config=$(sha256sum "$work/config.json" | cut -d' ' -f1)
  mv "$work/config.json" "$work/$config.json"
  jq -nc --arg config "$config.json" --arg name "$name" \
    '[{Config: $config, RepoTags: [$name], Layers: ["layer.tar"]}]' >"$work/manifest.json"
  tar -C "$work" -cf "$work/image.tar" manifest.json "$config.json" layer.tar
  ctr_ image import "$work/image.tar" >/dev/null
  rm -rf "$work"
}

import_images() {
  local have root
  have=$(ctr_ image ls -q)
  if ! grep -q "$PAUSE_IMAGE" <<<"$have"; then
    root=$(mktemp -d)
    printf '#include <signal.h>\n#include <unistd.h>\nstatic void stop(int s) { (void)s; _exit(0); }\nint main(void) {\n  signal(SIGTERM, stop);\n  signal(SIGINT, stop);\n  for (;;) pause();\n}\n' >"$root/pause.c"
    gcc -static -O2 -o "$root/pause" "$root/pause.c"
    rm "$root/pause.c"
    image "$PAUSE_IMAGE" "$root" /pause
    rm -rf "$root"
  fi
  if ! grep -q "$TEST_IMAGE" <<<"$have"; then
    root=$(mktemp -d)
    mkdir -p "$root/bin" "$root/tmp" "$root/etc" "$root/root"
    cp /bin/busybox "$root/bin/busybox"
    local applet
    for applet in $(/bin/busybox --list | grep -vx busybox); do ln -s busybox "$root/bin/$applet"; done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    chmod 1777 "$root/tmp"
    image "$TEST_IMAGE" "$root" /bin/sh
    rm -rf "$root"
  fi
}

# Everything is tried, whatever is left of a cluster that was stopped uncleanly.
stop_node() {
  [[ -d $STATE ]] || return 0
  set +e
  stop_pidfile "$RUN/kubelet.pid" kubelet
  stop_pidfile "$RUN/kube-proxy.pid" kube-proxy
  # Containers outlive kubelet and containerd; their shims go by the socket that their command line names.
  pkill -9 -f "containerd-shim.*$CONTAINERD_SOCKET" 2>/dev/null || true
  stop_pidfile "$RUN/containerd.pid" containerd
  pkill -9 -f "containerd-shim.*$CONTAINERD_SOCKET" 2>/dev/null || true
  local mount
  while read -r mount; do umount -l "$mount" 2>/dev/null || true; done \
    < <(awk -v state="$STATE/" 'index($2, state) == 1 {print $2}' /proc/mounts | sort -r)
  [[ -x $BIN/kube-proxy ]] && "$BIN/kube-proxy" --cleanup >/dev/null 2>&1 || true
  # What the kubelet and the CNI plugins leave in iptables.
  local table chain
  for table in nat filter mangle; do
    iptables-save -t "$table" 2>/dev/null | grep -E '^-A .*(KUBE-|CNI-|devpods)' | sed 's/^-A/-D/' |
      while read -r rule; do eval "iptables -t $table $rule" 2>/dev/null || true; done
    iptables-save -t "$table" 2>/dev/null | sed -nE 's/^:((KUBE|CNI)-[^ ]+) .*/\1/p' |
      while read -r chain; do iptables -t "$table" -X "$chain" 2>/dev/null || true; done
  done
  ip link del "$POD_LINK" 2>/dev/null || true
  ip -o link 2>/dev/null | sed -nE 's/^[0-9]+: (kube-ipvs0).*/\1/p' | while read -r link; do ip link del "$link" || true; done
  set -e
}
