#!/usr/bin/env bash
# The inside of tests/tools/kube_cluster.sh, which starts it: process 1 of namespaces of its own, with
# a whole Kubernetes on one node. Ends when one of its programs does; everything ends with it.
#
# usage: kube_cluster_node.sh FOLDER ASSETS CGROUP CNI_PLUGINS
set -euo pipefail

folder=$1 assets=$2 cgroup=$3 cni_plugins=$4
logs=$folder/logs keys=$folder/keys config=$folder/config
node="node-1"
node_ip=10.213.0.1
pod_range=10.213.1.0/24
service_range=10.213.2.0/24
service_ip=10.213.2.1
dns_ip=10.213.2.10
server=https://$node_ip:6443

fail() {
  echo "kube_cluster: $*" >&2
  exit 1
}

# start NAME COMMAND...: in the background, with a log of its own.
start() {
  local name=$1
  shift
  "$@" >"$logs/$name.log" 2>&1 &
  echo "$name: process $!"
}

# wait_for WHAT LOG COMMAND...
wait_for() {
  local what=$1 log=$2 deadline=$((SECONDS + 180))
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$what is not ready in time: $(tail -n 5 "$logs/$log.log")"
    sleep 0.3
  done
  echo "$what is ready"
}

# The folders that programs have compiled in are this cluster's, here only; mounts are shared with
# containers that ask for it, as on any node.
make_folders() {
  mount --make-rshared /
  mkdir -p "$folder"/{run,kubelet,cni,log,etcd,containerd}
  mount --bind "$folder/kubelet" /var/lib/kubelet
  mount --bind "$folder/cni" /var/lib/cni
  mount --bind "$folder/log" /var/log
  mount -t tmpfs -o mode=755 run /run
}

make_network() {
  ip link set lo up
  ip link add node0 type bridge
  ip address add "$node_ip/24" dev node0
  ip link set node0 up
  ip route add default via "$node_ip"
  sysctl --quiet --write net.ipv4.ip_forward=1
  hostname "$node"
}

# sign NAME SUBJECT [SUBJECT_ALT_NAME]: NAME.key and NAME.crt of the cluster's CA.
sign() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
    -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
    -extfile <(echo "subjectAltName=${3:-DNS:localhost}")
}

make_keys() {
  (
    umask 077
    mkdir -p "$keys"
    cd "$keys"
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out service-accounts.key
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
      -subj /CN=kube-cluster-ca -keyout ca.key -out ca.crt
    sign apiserver /CN=kube-apiserver "IP:127.0.0.1,IP:$node_ip,IP:$service_ip,DNS:localhost,$(
      )DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    sign admin /O=system:masters/CN=admin
    sign controller-manager /CN=system:kube-controller-manager
    sign scheduler /CN=system:kube-scheduler
    sign proxy /CN=system:kube-proxy
    sign kubelet "/O=system:nodes/CN=system:node:$node" "DNS:$node,IP:$node_ip"
  ) >"$logs/openssl.log" 2>&1 || fail "openssl: $(tail -n 1 "$logs/openssl.log")"
}

# kubeconfig NAME [SERVER]: for the client certificate NAME.
kubeconfig() {
  (
    umask 077
    cat >"$config/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster: {server: "${2:-$server}", certificate-authority: "$keys/ca.crt"}
users:
  - name: user
    user: {client-certificate: "$keys/$1.crt", client-key: "$keys/$1.key"}
contexts:
  - name: context
    context: {cluster: cluster, user: user}
current-context: context
YAML
  )
}

start_control_plane() {
  start etcd "$assets/etcd" --data-dir "$folder/etcd" --unsafe-no-fsync \
    --listen-client-urls "unix:///run/etcd.sock" --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
  start kube-apiserver "$assets/kube-apiserver" \
    --bind-address 0.0.0.0 --advertise-address "$node_ip" --secure-port 6443 \
    --etcd-servers unix:///run/etcd.sock \
    --tls-cert-file "$keys/apiserver.crt" --tls-private-key-file "$keys/apiserver.key" \
    --client-ca-file "$keys/ca.crt" --cert-dir "$config" \
    --kubelet-client-certificate "$keys/admin.crt" --kubelet-client-key "$keys/admin.key" \
    --kubelet-preferred-address-types InternalIP \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$keys/service-accounts.key" \
    --service-account-signing-key-file "$keys/service-accounts.key" \
    --service-cluster-ip-range "$service_range" --allow-privileged
  wait_for kube-apiserver kube-apiserver "$assets/kubectl" --kubeconfig "$config/admin.kubeconfig" \
    get --raw /readyz
  start kube-controller-manager "$assets/kube-controller-manager" \
    --kubeconfig "$config/controller-manager.kubeconfig" --bind-address 127.0.0.1 \
    --use-service-account-credentials --root-ca-file "$keys/ca.crt" \
    --service-account-private-key-file "$keys/service-accounts.key" \
    --cluster-signing-cert-file "$keys/ca.crt" --cluster-signing-key-file "$keys/ca.key" \
    --service-cluster-ip-range "$service_range" --leader-elect=false --cert-dir "$config"
  start kube-scheduler "$assets/kube-scheduler" --kubeconfig "$config/scheduler.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false --cert-dir "$config"
}

# Without CAP_SYS_RESOURCE, which some machines' root lacks, nothing can be made less likely to be killed.
start_containerd() {
  mkdir -p "$config/cni"
  cat >"$config/cni/10-pods.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_range"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
  cat >"$config/containerd.toml" <<TOML
version = 3
root = "$folder/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "esc-agent.io/pause:1"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["$cni_plugins"]
conf_dir = "$config/cni"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
TOML
  start containerd env PATH="$assets:$PATH" "$assets/containerd" --config "$config/containerd.toml"
  wait_for containerd containerd "$assets/ctr" version
}

# cgroup v1 is what some machines have; kubelet wants to be told. The machine's memory and disk are
# not this cluster's to judge.
start_kubelet() {
  cat >"$config/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node_ip
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $keys/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $keys/kubelet.crt
tlsPrivateKeyFile: $keys/kubelet.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup
failCgroupV1: false
failSwapOn: false
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
clusterDNS: [$dns_ip]
clusterDomain: cluster.local
resolvConf: $config/resolv.conf
volumePluginDir: $folder/volume-plugins
enableControllerAttachDetach: true
shutdownGracePeriod: 0s
YAML
  : >"$config/resolv.conf"
  start kubelet "$assets/kubelet" --config "$config/kubelet.yaml" --node-ip "$node_ip" \
    --kubeconfig "$config/kubelet.kubeconfig" --hostname-override "$node" \
    --root-dir /var/lib/kubelet --cert-dir "$config"
}

start_proxy() {
  start kube-proxy "$assets/kube-proxy" --kubeconfig "$config/proxy.kubeconfig" \
    --proxy-mode nftables --cluster-cidr "$pod_range" --hostname-override "$node" \
    --conntrack-max-per-core 0 --bind-address 127.0.0.1
}

mkdir -p "$logs" "$config"
make_folders
make_network
make_keys
kubeconfig admin
kubeconfig controller-manager
kubeconfig scheduler
kubeconfig proxy
kubeconfig kubelet
start_control_plane
start_containerd
start_kubelet
start_proxy
: >"$folder/started"
# What ends without being waited for, such as shims of containers, is reaped by bash meanwhile.
wait -n
fail "a program has ended: see $logs"
