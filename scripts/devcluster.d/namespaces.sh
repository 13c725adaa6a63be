# The node's own network, mounts and process ids. Bridges, iptables rules, sysctls, mounts and containers of the node
# do not touch those of the machine, and all of it is gone once the first process in there has ended.

in_node() {
  [[ -s $RUN/node.pid ]] || die "the node does not run"
  nsenter --target "$(cat "$RUN/node.pid")" --mount --net --pid --ipc -- "$@"
}

# start_in_node NAME COMMAND...: like start; nsenter is the process that is watched, and the command ends with it.
start_in_node() {
  local name=$1
  shift
  start "$name" nsenter --target "$(cat "$RUN/node.pid")" --mount --net --pid --ipc -- setpriv --pdeathsig KILL "$@"
}

# A process that waits and reaps: the first one in the node, and the one of the pause image.
make_pause() {
  [[ -x $PAUSE ]] && return 0
  mkdir -p "${PAUSE%/*}"
  gcc -static -O2 -x c -o "$PAUSE.new" - <<'TEXT'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void stop(int s) { (void)s; _exit(0); }
static void reap(int s) { (void)s; while (waitpid(-1, NULL, WNOHANG) > 0) {} }
int main(void) {
  signal(SIGTERM, stop);
  signal(SIGINT, stop);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
TEXT
  mv "$PAUSE.new" "$PAUSE"
}

first_process() { [[ $(cat "/proc/$1/task/$1/children" 2>/dev/null) =~ [0-9]+ ]] && echo "${BASH_REMATCH[0]}"; }

start_namespaces() {
  alive "$RUN/node.pid" "$STATE" && return 0
  say "making the node's network and mounts"
  remove_traces
  setsid unshare --mount --net --pid --ipc --fork --mount-proc "$PAUSE" "$STATE" \
    </dev/null >"$LOGS/node.log" 2>&1 9>&- &
  local parent=$!
  wait_for 10 "the node's first process" first_process "$parent" || fail node "did not start"
  first_process "$parent" >"$RUN/node.pid"
  # Its command line is its own only after the exec.
  ready node 10 alive "$RUN/node.pid" "^$PAUSE $STATE"
  make_mounts
  make_link
}

# Folders that the components do not let one choose (/run/containerd, /var/log/pods, the CNI cache) stand in the
# state folder. Volumes of pods may ask for propagation, which needs a shared root.
make_mounts() {
  mkdir -p "$STATE/node/run" "$STATE/node/log" "$STATE/node/cni-cache" /var/lib/cni
  in_node sh -euc '
    mount --bind "$1/run" /run
    mount --bind "$1/log" /var/log
    mount --bind "$1/cni-cache" /var/lib/cni
    mount --make-rshared /' sh "$STATE/node"
}

# Pods reach the machine at HOST_IP; the machine reaches pods and services through the node.
make_link() {
  # Traffic between pods of one bridge passes iptables, and so reaches services, only with this module.
  modprobe -q br_netfilter 2>/dev/null || true
  ip link add "$LINK" type veth peer name node0 netns "$(cat "$RUN/node.pid")"
  ip addr add "$HOST_IP/30" dev "$LINK"
  ip link set "$LINK" up
  in_node sh -euc '
    ip link set lo up
    ip addr add "$1/30" dev node0
    ip link set node0 up
    ip route add default via "$2"
    # The metadata service of a cloud: an answer at once instead of timeouts in the kubelet, and none for pods.
    ip route add unreachable 169.254.169.254
    echo 1 >/proc/sys/net/ipv4/ip_forward
    bridge=/proc/sys/net/bridge/bridge-nf-call-iptables
    if [ -e $bridge ]; then echo 1 >$bridge; fi' sh "$NODE_IP" "$HOST_IP"
  ip route replace "$POD_RANGE" via "$NODE_IP"
  ip route replace "$SERVICE_RANGE" via "$NODE_IP"
}

# What outlives the processes: a link whose other end is not gone yet, the containers' cgroups, what stood in /run, a
# mount point, and mounts if somebody made some outside of the namespaces.
remove_traces() {
  ip link del "$LINK" 2>/dev/null || true
  local container
  for container in "$STATE"/node/run/containerd/io.containerd.runtime.v2.task/k8s.io/*; do
    find /sys/fs/cgroup -depth -type d -path "*/k8s.io/${container##*/}*" -exec rmdir {} + 2>/dev/null || true
  done
  find /sys/fs/cgroup -maxdepth 2 -type d -name k8s.io -exec rmdir {} + 2>/dev/null || true
  awk -v state="$STATE/" 'index($2, state) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l
  rm -rf "$STATE/node/run"
  # The mount point serves other clusters too.
  compgen -G '/sys/class/net/devnode*' >/dev/null || rmdir /var/lib/cni 2>/dev/null || true
}
