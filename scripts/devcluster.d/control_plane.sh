# etcd, kube-apiserver, kube-controller-manager and kube-scheduler, with certificates made on the spot.

# sign NAME SUBJECT EXTENSIONS: a key and a certificate signed by the cluster's CA.
sign() {
  local name=$1 subject=$2 extensions=$3
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" \
    -keyout "$PKI/$name.key" -out "$PKI/$name.csr" 2>/dev/null
  openssl x509 -req -in "$PKI/$name.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial -days 3650 \
    -out "$PKI/$name.crt" -extfile <(printf '%s\n' "$extensions") 2>/dev/null
  rm "$PKI/$name.csr"
}

# kubeconfig NAME SERVER-ADDRESS FILE
kubeconfig() {
  local name=$1 server=$2 file=$3
  cat >"$file" <<TEXT
apiVersion: v1
kind: Config
clusters:
- name: devcluster
  cluster:
    server: https://$server:$API_PORT
    certificate-authority-data: $(base64 -w0 <"$PKI/ca.crt")
users:
- name: $name
  user:
    client-certificate-data: $(base64 -w0 <"$PKI/$name.crt")
    client-key-data: $(base64 -w0 <"$PKI/$name.key")
contexts:
- name: devcluster
  context: {cluster: devcluster, user: $name}
current-context: devcluster
TEXT
  chmod 600 "$file"
}

make_certificates() {
  [[ -s $STATE/admin.kubeconfig ]] && return 0
  say "making certificates"
  mkdir -p "$PKI"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=devcluster-ca -days 3650 \
    -keyout "$PKI/ca.key" -out "$PKI/ca.crt" 2>/dev/null
  openssl genrsa -out "$PKI/service-accounts.key" 2048 2>/dev/null
  openssl rsa -in "$PKI/service-accounts.key" -pubout -out "$PKI/service-accounts.pub" 2>/dev/null
  local names="subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$HOST_IP,IP:$SERVICE_IP"
  sign apiserver /CN=kube-apiserver "$names"
  sign kubelet-server /CN=devnode "subjectAltName=DNS:devnode,IP:$NODE_IP"
  sign kubelet-client /O=system:masters/CN=kube-apiserver-kubelet extendedKeyUsage=clientAuth
  sign admin /O=system:masters/CN=admin extendedKeyUsage=clientAuth
  sign controller-manager /CN=system:kube-controller-manager extendedKeyUsage=clientAuth
  sign scheduler /CN=system:kube-scheduler extendedKeyUsage=clientAuth
  sign kubelet /O=system:nodes/CN=system:node:devnode extendedKeyUsage=clientAuth
  sign proxy /CN=system:kube-proxy extendedKeyUsage=clientAuth
  local name
  for name in controller-manager scheduler; do kubeconfig "$name" 127.0.0.1 "$STATE/$name.kubeconfig"; done
  for name in kubelet proxy; do kubeconfig "$name" "$HOST_IP" "$STATE/$name.kubeconfig"; done
  kubeconfig admin 127.0.0.1 "$STATE/admin.kubeconfig"
}

# etcd, and the API server that everything else asks.
start_api() {
  say "starting etcd and kube-apiserver"
  local fsync=()
  etcd --help 2>&1 | grep -q unsafe-no-fsync && fsync=(--unsafe-no-fsync)
  start etcd etcd --name dev --data-dir "$STATE/etcd" "${fsync[@]}" \
    --listen-client-urls "http://127.0.0.1:$ETCD_PORT" --advertise-client-urls "http://127.0.0.1:$ETCD_PORT" \
    --listen-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
    --initial-advertise-peer-urls "http://127.0.0.1:$ETCD_PEER_PORT" \
    --initial-cluster "dev=http://127.0.0.1:$ETCD_PEER_PORT" --log-level warn
  ready etcd 30 curl -sf "http://127.0.0.1:$ETCD_PORT/health"
  start kube-apiserver "$BIN/kube-apiserver" \
    --etcd-servers="http://127.0.0.1:$ETCD_PORT" --insecure-port=0 --secure-port="$API_PORT" \
    --bind-address=0.0.0.0 --advertise-address="$HOST_IP" --cert-dir="$STATE/apiserver" \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --client-ca-file="$PKI/ca.crt" \
    --kubelet-client-certificate="$PKI/kubelet-client.crt" --kubelet-client-key="$PKI/kubelet-client.key" \
    --kubelet-preferred-address-types=InternalIP --authorization-mode=Node,RBAC --allow-privileged=true \
    --enable-admission-plugins=NodeRestriction \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$PKI/service-accounts.pub" \
    --service-account-signing-key-file="$PKI/service-accounts.key" --service-cluster-ip-range="$SERVICE_RANGE" \
    --max-requests-inflight=4000 --max-mutating-requests-inflight=2000
}

await_control_plane() {
  ready kube-apiserver 60 kubectl get --raw /readyz
  say "starting kube-controller-manager and kube-scheduler"
  start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$STATE/controller-manager.kubeconfig" \
    --use-service-account-credentials --service-account-private-key-file="$PKI/service-accounts.key" \
    --root-ca-file="$PKI/ca.crt" --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --leader-elect=false --kube-api-qps=200 --kube-api-burst=400 --port=0 --secure-port=0
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$STATE/scheduler.kubeconfig" --leader-elect=false \
    --port=0 --secure-port=0
  ready kube-controller-manager 60 kubectl -n default get serviceaccount default
}
