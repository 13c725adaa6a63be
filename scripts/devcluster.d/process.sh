# Starting, awaiting and ending the cluster's processes. Each has the state folder in its command line: that is
# how it is told from others, even when its file with the process id is lost.

# start NAME COMMAND...: in the background, with its log and its process id in the state folder.
start() {
  local name=$1
  shift
  alive "$RUN/$name.pid" "$STATE" && return 0
  setsid "$@" >"$LOGS/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$RUN/$name.pid"
}

# ready NAME SECONDS COMMAND...: waits until the command succeeds; shows the end of the log when it does not in
# time, or as soon as the component has ended.
ready() {
  local name=$1 limit=$2 end
  shift 2
  end=$((SECONDS + limit))
  until "$@" >/dev/null 2>&1; do
    if ! alive "$RUN/$name.pid" "$STATE"; then
      fail "$name" "has ended"
    elif ((SECONDS >= end)); then
      fail "$name" "did not become ready in $limit s"
    fi
    sleep 0.1
  done
}

fail() {
  tail -n 20 "$LOGS/$1.log" >&2 || true
  die "$1 $2; its log is $LOGS/$1.log"
}

# The cluster's processes. The end of the first one in the node's namespaces (pause) is the end of all in there.
processes() {
  local folder line
  for folder in /proc/[0-9]*; do
    line=$(tr '\0' ' ' 2>/dev/null <"$folder/cmdline") || continue
    [[ $line == *"$STATE/"* || $line == *"$STATE " ]] || continue
    [[ $line =~ ^[^\ ]*(etcd|kube-[a-z-]+|kubelet|containerd[a-z0-9-]*|nsenter|unshare|pause)\  ]] || continue
    echo "${folder#/proc/}"
  done
}

# Nobody but etcd has anything to save, and its data is removed next, so that a gentle stop would only take time.
stop_processes() {
  local pids
  local i
  for ((i = 0; i < 100; i++)); do
    mapfile -t pids < <(processes)
    ((${#pids[@]} == 0)) && return 0
    kill -9 "${pids[@]}" 2>/dev/null || true
    sleep 0.1
  done
  die "these processes do not end: ${pids[*]}"
}
