# containerd, kubelet and kube-proxy: a node that runs pods. Sockets, state and networks are the cluster's own.

# Within the node, whose /run is its own.
CONTAINERD_SOCKET=/run/containerd/containerd.sock

ctr_() { in_node ctr --address "$CONTAINERD_SOCKET" -n k8s.io "$@"; }
node_ready() {
  kubectl get nodes devnode -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null | grep -q True
}
service_answers() { in_node curl -skf --max-time 2 "https://$SERVICE_IP/readyz"; }

node_up() { in_node curl -sf http://127.0.0.1:10248/healthz && node_ready; }

# While the API server starts: the kubelet looks for a Docker for five seconds before it asks for anything. Without a
# word about AWS it would look for that, too.
start_node() {
  choose_snapshotter
  write_node_files
  say "starting containerd"
  start_in_node containerd containerd --config "$STATE/containerd.toml"
  ready containerd 30 in_node ctr --address "$CONTAINERD_SOCKET" version
  import_images
  say "starting kubelet"
  start_in_node kubelet env AWS_EC2_METADATA_DISABLED=true "$BIN/kubelet" \
    --config="$STATE/kubelet.yaml" --kubeconfig="$STATE/kubelet.kubeconfig" \
    --container-runtime=remote --container-runtime-endpoint="unix://$CONTAINERD_SOCKET" --node-ip="$NODE_IP" \
    --hostname-override=devnode --root-dir="$STATE/kubelet" --cert-dir="$STATE/kubelet-pki" \
    --register-node=true --network-plugin=cni
}

await_node() {
  ready kubelet 90 node_up
  # It asks for the node when it starts, and waits ever longer when there is none.
  say "starting kube-proxy"
  start_in_node kube-proxy "$BIN/kube-proxy" --config="$STATE/proxy.yaml" --hostname-override=devnode
  ready kube-proxy 60 service_answers
}

# Layers on top of each other where the kernel and the state folder's file system can do it, copies elsewhere.
choose_snapshotter() {
  local work=$STATE/node/overlay
  mkdir -p "$work"/{lower,upper,work,merged}
  SNAPSHOTTER=native
  if in_node sh -c 'cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged &&
      umount merged' sh "$work" 2>/dev/null; then
    SNAPSHOTTER=overlayfs
  fi
  rm -rf "$work"
}

write_node_files() {
  mkdir -p "$STATE/cni" "$STATE/kubelet"
  cat >"$STATE/containerd.toml" <<TEXT
version = 2
root = "$STATE/containerd"
state = "/run/containerd"
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
    snapshotter = "$SNAPSHOTTER"
TEXT
  cat >"$STATE/cni/10-devpods.conflist" <<TEXT
{"cniVersion": "0.4.0", "name": "devpods", "plugins": [
  {"type": "bridge", "bridge": "devpods0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$STATE/cni-ipam", "ranges": [[{"subnet": "$POD_RANGE"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
TEXT
  cat >"$STATE/kubelet.yaml" <<TEXT
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
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
kubeAPIQPS: 100
kubeAPIBurst: 200
eventRecordQPS: 0
# The first look is before containers can run, so that the second makes the node ready.
nodeStatusUpdateFrequency: 1s
nodeStatusReportFrequency: 1m
volumePluginDir: $STATE/kubelet/volume-plugins
# It has a fixed folder outside of the state folder.
featureGates: {DevicePlugins: false}
# Containers have cgroups, pods have none: how a sandbox delegates its hierarchy differs too much.
cgroupsPerQOS: false
enforceNodeAllocatable: []
TEXT
  cat >"$STATE/proxy.yaml" <<TEXT
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $STATE/proxy.kubeconfig}
clusterCIDR: $POD_RANGE
mode: iptables
conntrack: {maxPerCore: 0}
TEXT
}

# image NAME FOLDER PROGRAM: a docker-archive with one layer, made with tar and jq alone. The program is no entry
# point, so that what comes after kubectl run's -- stands in its place.
image() {
  local name=$1 root=$2 program=$3 work layer config
  work=$(mktemp -d)
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C "$root" -cf "$work/layer.tar" .
  layer=$(sha256sum "$work/layer.tar" | cut -d' ' -f1)
  jq -nc --arg layer "sha256:$layer" --arg program "$program" \
    '{architecture: "amd64", os: "linux", config: {Cmd: [$program], Env: ["PATH=/bin"]},
      rootfs: {type: "layers", diff_ids: [$layer]}}' >"$work/config.json"
  config=$(sha256sum "$work/config.json" | cut -d' ' -f1)
  mv "$work/config.json" "$work/$config.json"
  jq -nc --arg config "$config.json" --arg name "$name" \
    '[{Config: $config, RepoTags: [$name], Layers: ["layer.tar"]}]' >"$work/manifest.json"
  tar -C "$work" -c manifest.json "$config.json" layer.tar | ctr_ image import --snapshotter "$SNAPSHOTTER" - >/dev/null
  rm -rf "$work"
}

import_images() {
  local have root
  have=$(ctr_ image ls -q)
  if ! grep -q "$PAUSE_IMAGE" <<<"$have"; then
    root=$(mktemp -d)
    cp "$PAUSE" "$root/pause"
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
