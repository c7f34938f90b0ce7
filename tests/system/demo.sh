#!/usr/bin/env bash
# The main job, end to end, on one machine: ./dev demo. Starts the offline ESC server, a stand-in for
# the API server and our programs, plays kubelet with tests/tools/fake_kubelet, mirrors the
# walkthrough's ExternalSecret, starts a process with its env, reads a volume as a pod would, edits
# the definition, kills the agent, and clears everything up. A failing step ends it with exit 1 and
# says which.
#
# usage: demo.sh BIN_FOLDER
set -euo pipefail

bin=$1
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Everything that is mounted here stays in a mount namespace of the demo's own.
if [ "${ESC_DEMO_NAMESPACE:-}" != "yes" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "demo: must run as root, as it mounts (try: sudo ./dev demo)" >&2
    exit 1
  fi
  exec env ESC_DEMO_NAMESPACE=yes unshare --mount --propagation private "$0" "$@"
fi

work=$(mktemp -d /tmp/esc-demo.XXXXXX)
interval=2s
step=0
doing="preparing"
pids=()

bold() { printf '\n\033[1m%s\033[0m\n' "$*"; }
begin() {
  step=$((step + 1))
  doing=$1
  bold "Step $step. $doing"
}
say() { printf '    %s\n' "$*"; }
# show COMMAND...: prints the command as a user would type it, then its output.
show() {
  printf '    $ %s\n' "$*"
  "$@" 2>&1 | sed 's/^/      /'
}
# in_pod COMMAND...: the same, in the volume, which the pod sees as /etc/esc.
in_pod() { (cd "$target" && show "$@") }
die() {
  printf '\n\033[31mdemo: step %s failed (%s): %s\033[0m\n' "$step" "$doing" "$*" >&2
  exit 1
}

# stop PID: orderly, and waits.
stop() {
  kill -TERM "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

finish() {
  local code=$?
  trap - EXIT ERR
  touch "$work/stop"
  for pid in "${pids[@]}"; do stop "$pid"; done
  if [ $code -ne 0 ]; then
    for log in "$work"/*.log; do
      [ -s "$log" ] && printf '\n--- %s\n%s\n' "$log" "$(tail -n 20 "$log")" >&2
    done
    grep -o " $work/kubelet[^ ]*" /proc/self/mountinfo | xargs -r -n1 umount -l
  fi
  rm -rf "$work"
  exit $code
}
trap finish EXIT
trap 'die "a command failed at line $LINENO"' ERR

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local seconds=$1 what=$2 deadline
  shift 2
  deadline=$(($(date +%s%N) + seconds * 1000000000))
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s%N)" -lt "$deadline" ] || die "$what: not within $seconds s"
    sleep 0.05
  done
}

file_holds() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }
expect() { [ "$1" = "$2" ] || die "expected \"$2\", found \"$1\""; }

# api METHOD PATH [FILE]: asks the API server as an administrator; FILE is applied (server-side).
api() {
  local body=()
  if [ $# -gt 2 ]; then
    body=(--header "Content-Type: application/apply-patch+yaml" --data-binary "@$3")
  fi
  curl --silent --show-error --fail --request "$1" --header "Authorization: Bearer $admin" \
    "${body[@]}" "$api_url$2"
}
# field EXPRESSION: of the JSON object on standard input.
field() { python3 -c "import base64, json, sys; it = json.load(sys.stdin); print($1)"; }
ready="next(c for c in it['status']['conditions'] if c['type'] == 'Ready')"
is_ready() { [ "$(api GET "$1" | field "${ready}['status']" 2>/dev/null)" = True ]; }
env_of() { api GET "$secret" | field "base64.b64decode(it['data']['$1']).decode()"; }
env_is() { [ "$(env_of "$1")" = "$2" ]; }

kubelet() { "$bin/fake-kubelet" "$@" 2>&1 | sed 's/^/      /'; }

[ -c /dev/fuse ] || die "there is no /dev/fuse on this machine; load the fuse module"

begin "Start the offline ESC server with the walkthrough's environments"
cp -r "$repository/manifests/examples/walkthrough/environments" "$work/definitions"
definition=$work/definitions/acme/eso-esc-demo/esp-esc-app.yaml
head -c 32 /dev/urandom | base64 >"$work/token"
ESC_AGENT_TOKEN=$(cat "$work/token") "$bin/esc-agent" dev-server \
  --definitions "$work/definitions" --listen 127.0.0.1:0 >"$work/dev-server.log" 2>&1 &
dev_server=$!
pids+=("$dev_server")
wait_for 10 "the ESC server's address" grep -q 'http://' "$work/dev-server.log"
url=$(grep -o 'http://[0-9.:]*' "$work/dev-server.log" | head -n 1)
say "listening at $url, serving these definitions:"
(cd "$work/definitions" && find . -name 'es*.yaml' | sort | sed 's/^/      /')
show cat "$definition"

begin "Start an API server with our CRDs; it has the walkthrough's token and namespaces"
"$bin/fake-apiserver" --listen 127.0.0.1:0 --crds "$repository/manifests/crds" \
  --kubeconfig-out "$work/kubeconfig" >"$work/apiserver.log" 2>&1 &
apiserver=$!
pids+=("$apiserver")
wait_for 10 "the API server's address" grep -q 'http://' "$work/apiserver.log"
api_url=$(grep -o 'http://[0-9.:]*' "$work/apiserver.log" | head -n 1)
admin=$(sed -n 's/^ *token: *//p' "$work/kubeconfig" | tr -d '"')
external=/apis/external-secrets.io
for namespace in external-secrets podinfo esc-agent; do
  printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n' "$namespace" >"$work/object.yaml"
  api PATCH "/api/v1/namespaces/$namespace?fieldManager=demo" "$work/object.yaml" >"$work/answer"
done
cat >"$work/object.yaml" <<YAML
apiVersion: v1
kind: Secret
metadata: {name: pulumi-access-token, namespace: external-secrets}
stringData: {PULUMI_ACCESS_TOKEN: "$(cat "$work/token")"}
YAML
api PATCH "/api/v1/namespaces/external-secrets/secrets/pulumi-access-token?fieldManager=demo" \
  "$work/object.yaml" >"$work/answer"
say "listening at $api_url, serving these kinds:"
api GET "$external/v1" | field "'\n'.join('      ' + r['kind'] for r in it['resources'] if '/' not in r['name'])"

begin "Start the keeper and the agent; kubelet finds and registers it"
mkdir -p "$work/kubelet/plugins/csi.esc-agent.io" "$work/kubelet/plugins_registry"
"$bin/esc-keeper" --socket "$work/keeper.sock" --kubelet-dir "$work/kubelet" \
  --csi-socket "$work/kubelet/plugins/csi.esc-agent.io/csi.sock" \
  --registration-socket "$work/kubelet/plugins_registry/csi.esc-agent.io-reg.sock" \
  >"$work/keeper.log" 2>&1 &
keeper=$!
pids=("$keeper" "$apiserver" "$dev_server")

# start_agent: sets agent.
start_agent() {
  "$bin/esc-agent" run --node-name demo-node --kubelet-dir "$work/kubelet" \
    --csi-endpoint "unix://$work/kubelet/plugins/csi.esc-agent.io/csi.sock" \
    --registration-socket "$work/kubelet/plugins_registry/csi.esc-agent.io-reg.sock" \
    --keeper-socket "$work/keeper.sock" --admin-socket "$work/admin.sock" \
    --http-listen 127.0.0.1:0 --kubeconfig "$work/kubeconfig" --namespace esc-agent \
    --esc-url "$url" --refresh-interval "$interval" >>"$work/agent.log" 2>&1 &
  agent=$!
  pids=("$agent" "$keeper" "$apiserver" "$dev_server")
}
start_agent
kubelet register --registry-dir "$work/kubelet/plugins_registry" --timeout 10s

begin "Apply the walkthrough's ClusterSecretStore and ExternalSecret, as written (v1beta1)"
walkthrough=$repository/manifests/examples/walkthrough
store=$external/v1beta1/clustersecretstores/secret-store
object=$external/v1beta1/namespaces/podinfo/externalsecrets/esc-secret-store
secret=/api/v1/namespaces/podinfo/secrets/esc-secret-store
show grep -v '^#' "$walkthrough/external_secret.yaml"
started=$(date +%s%N)
api PATCH "$store?fieldManager=demo" "$walkthrough/cluster_secret_store.yaml" >"$work/answer"
api PATCH "$object?fieldManager=demo" "$walkthrough/external_secret.yaml" >"$work/answer"
wait_for 20 "the ExternalSecret's Ready" is_ready "$object"
say "Ready after $((($(date +%s%N) - started) / 1000000)) ms"
wait_for 20 "the store's Ready" is_ready "$store"
for path in "$store" "$object"; do
  api GET "$path" |
    field "'    %s %s: Ready %s (%s, %s)' % (it['kind'], it['metadata']['name'], \
      ${ready}['status'], ${ready}['reason'], ${ready}['message'])"
done
api GET "$secret" | field "'    Secret %s: type %s, keys %s, owner %s' % (it['metadata']['name'], \
  it['type'], ' and '.join(it['data']), it['metadata']['ownerReferences'][0]['kind'])"

begin "Start a process with the env taken from the Secret, as kubelet does for secretKeyRef"
FROM_ESC_VIA_ESO=$(env_of hello-secret) FROM_ESC_VIA_ESO_2=$(env_of hello) \
  show sh -c 'env | grep FROM'
expect "$(env_of hello-secret) $(env_of hello)" "world world"

begin "kubelet publishes the volume of pod podinfo"
endpoint=$work/kubelet/plugins/csi.esc-agent.io/csi.sock
volume=(--endpoint "$endpoint" --kubelet-dir "$work/kubelet"
  --pod-uid 5f0c3f9e-1111-4222-8333-444455556666 --volume esc)
target=$work/kubelet/pods/5f0c3f9e-1111-4222-8333-444455556666/volumes/kubernetes.io~csi/esc/mount
kubelet publish "${volume[@]}" --pod-name podinfo --pod-namespace podinfo \
  --attribute clusterSecretStore=secret-store --attribute path=app

begin "Read the volume as the pod does"
say "in the pod's /etc/esc:"
in_pod find . -printf '%M %P %l\n'
in_pod cat hello
echo
in_pod cat hello-secret
echo
expect "$(cat "$target/hello")" world
expect "$(cat "$target/hello-secret")" world
PATH=$bin:$PATH show esc-agent status --admin-socket "$work/admin.sock"

begin "Edit the definition on disk; the file changes without a remount"
mount_id=$(awk -v t="$target" '$5 == t {print $1}' /proc/self/mountinfo)
sed -i 's/fn::secret: world/fn::secret: rotated/' "$definition"
say "hello-secret is now \"rotated\" in $(basename "$definition"); the agent looks every $interval"
started=$(date +%s%N)
wait_for 10 "the new value in the volume" file_holds "$target/hello-secret" rotated
say "seen in the pod's volume after $((($(date +%s%N) - started) / 1000000)) ms"
wait_for 10 "the new value in the Secret" env_is hello-secret rotated
say "and in the Secret after $((($(date +%s%N) - started) / 1000000)) ms"
in_pod cat hello-secret
echo
expect "$(cat "$target/hello")" world
expect "$(awk -v t="$target" '$5 == t {print $1}' /proc/self/mountinfo)" "$mount_id"
say "the mount is the same one (id $mount_id in mountinfo)"

begin "Kill the agent with kill -9, five times, while a pod reads; the pod does not notice"
# read_all_the_time FILE VALUE: until there is the file stop; prints reads, failures, longest in us.
read_all_the_time() {
  local reads=0 failures=0 longest=0 before took value
  while [ ! -e "$work/stop" ]; do
    before=${EPOCHREALTIME/[.,]/}
    value=""
    { read -r value <"$1"; } 2>/dev/null || true  # the file's one line has no end
    took=$((${EPOCHREALTIME/[.,]/} - before))
    reads=$((reads + 1))
    [ "$value" = "$2" ] || failures=$((failures + 1))
    [ "$took" -le "$longest" ] || longest=$took
  done
  echo "$reads $failures $longest"
}
agent_answers() { "$bin/esc-agent" status --admin-socket "$work/admin.sock"; }
read_all_the_time "$target/hello-secret" rotated >"$work/reads" &
reader=$!
for _ in 1 2 3 4 5; do
  say "\$ kill -9 $agent"
  kill -9 "$agent"
  wait "$agent" 2>/dev/null || true
  start_agent
  wait_for 10 "the next agent" agent_answers
done
touch "$work/stop"
wait "$reader"
read -r reads failures longest <"$work/reads"
say "$reads reads, $failures failed, the longest took $((longest / 1000)) ms"
expect "$failures" 0
expect "$(cat "$target/hello-secret")" rotated

begin "kubelet unpublishes the volume; nothing is left"
kubelet unpublish "${volume[@]}"
[ ! -e "$target" ] || die "$target is still there"
if grep -q " $work" /proc/self/mountinfo; then die "something is still mounted below $work"; fi
say "no folder, no mount"
for pid in "$agent" "$keeper" "$apiserver" "$dev_server"; do stop "$pid"; done
for pid in "$agent" "$keeper" "$apiserver" "$dev_server"; do
  if kill -0 "$pid" 2>/dev/null; then die "process $pid is still running"; fi
done
pids=()
if grep -q -e "$(cat "$work/token")" -e rotated "$work/agent.log"; then
  die "a value or the token is in the agent's log"
fi
say "no process; the agent's log has $(wc -l <"$work/agent.log") lines, none with a value or the token"

bold "All $step steps worked."
