#!/usr/bin/env bash
# Starts etcd and a real kube-apiserver on a free port of 127.0.0.1, in the foreground; both end with
# this script. There are no controllers: nothing is garbage-collected, a deleted namespace stays in
# Terminating, and service accounts are made by who needs them.
#
# usage: KUBEBUILDER_ASSETS=FOLDER kube_apiserver.sh DIR [KUBE_APISERVER_FLAG...]
# DIR, made if missing, holds everything: DIR/kubeconfig (a client certificate of group
# system:masters), DIR/kube-apiserver.log, DIR/etcd.log. Prints "ready" when requests are served.
set -euo pipefail

dir=${1:?usage: kube_apiserver.sh DIR [KUBE_APISERVER_FLAG...]}
shift
assets=${KUBEBUILDER_ASSETS:?names no folder with kube-apiserver and etcd}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
pids=()

# shellcheck disable=SC2317 # called by the trap
finish() {
  local code=$? pid
  trap - EXIT
  for pid in "${pids[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
  done
  # Nothing here is worth a clean end, which kube-apiserver may take a minute for.
  for pid in "${pids[@]}"; do
    timeout 2 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
  done
  exit "$code"
}
trap finish EXIT
trap 'exit 0' INT TERM

fail() {
  echo "kube_apiserver.sh: $*" >&2
  exit 1
}

# start LOG COMMAND...: in the background; killed with this script however that ends.
start() {
  local log=$1
  shift
  setpriv --pdeathsig KILL "$@" >"$log" 2>&1 &
  pids+=("$!")
}

# The port is free when asked for; kube-apiserver, which cannot take port 0, is started again with
# another when somebody else was faster.
free_port() {
  python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

make_keys() {
  (
    umask 077
    cd "$dir"
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sa.key
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
      -subj /CN=client-ca -keyout client-ca.key -out client-ca.crt
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
      -subj /O=system:masters/CN=admin -keyout admin.key -out admin.csr
    openssl x509 -req -in admin.csr -CA client-ca.crt -CAkey client-ca.key -CAcreateserial -days 30 \
      -out admin.crt
  ) >"$dir/openssl.log" 2>&1 || fail "openssl: $(tail -n 1 "$dir/openssl.log")"
}

# write_kubeconfig PORT. The server's certificate file has its CA's after it.
write_kubeconfig() {
  cat >"$dir/kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
  - name: test
    cluster:
      server: https://127.0.0.1:$1
      certificate-authority: $dir/certs/apiserver.crt
users:
  - name: admin
    user:
      client-certificate: $dir/admin.crt
      client-key: $dir/admin.key
contexts:
  - name: test
    context:
      cluster: test
      user: admin
current-context: test
YAML
}

# serves PORT
serves() {
  [ "$(curl --silent --max-time 5 --cacert "$dir/certs/apiserver.crt" --cert "$dir/admin.crt" \
    --key "$dir/admin.key" "https://127.0.0.1:$1/readyz")" = ok ]
}

start_etcd() {
  start "$dir/etcd.log" "$assets/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync \
    --listen-client-urls "unix://$dir/etcd.sock" --advertise-client-urls http://127.0.0.1:0 \
    --listen-peer-urls http://127.0.0.1:0 --initial-advertise-peer-urls http://127.0.0.1:0 \
    --initial-cluster default=http://127.0.0.1:0
}

# start_apiserver PORT [FLAG...]
start_apiserver() {
  local port=$1
  shift
  start "$dir/kube-apiserver.log" "$assets/kube-apiserver" \
    --bind-address 127.0.0.1 --advertise-address 127.0.0.1 --secure-port "$port" \
    --cert-dir "$dir/certs" --client-ca-file "$dir/client-ca.crt" \
    --etcd-servers "unix://$dir/etcd.sock" --authorization-mode RBAC --allow-privileged \
    --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file "$dir/sa.key" --service-account-signing-key-file "$dir/sa.key" \
    --service-cluster-ip-range 10.0.0.0/24 --endpoint-reconciler-type none \
    --disable-admission-plugins ServiceAccount "$@"
}

make_keys
start_etcd
deadline=$((SECONDS + ${KUBE_APISERVER_TIMEOUT:-120}))
port=$(free_port)
start_apiserver "$port" "$@"
until serves "$port"; do
  [ "$SECONDS" -lt "$deadline" ] || fail "not ready in time: $(tail -n 5 "$dir/kube-apiserver.log")"
  kill -0 "${pids[0]}" 2>/dev/null || fail "etcd ended: $(tail -n 5 "$dir/etcd.log")"
  if ! kill -0 "${pids[1]}" 2>/dev/null; then
    grep -q 'address already in use' "$dir/kube-apiserver.log" ||
      fail "kube-apiserver ended: $(tail -n 5 "$dir/kube-apiserver.log")"
    unset 'pids[1]'
    port=$(free_port)
    start_apiserver "$port" "$@"
  fi
  sleep 0.2
done
write_kubeconfig "$port"
echo ready
# Ends when either program does.
wait -n
fail "a program ended: $(tail -n 3 "$dir/etcd.log" "$dir/kube-apiserver.log")"
