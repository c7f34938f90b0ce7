#!/usr/bin/env bash
# The main job, end to end, on one machine: ./dev demo. Starts the offline ESC server and our
# programs, plays kubelet with tests/tools/fake_kubelet, reads the volume as a pod would, edits the
# definition, kills the agent, and clears everything up. A failing step ends it with exit 1 and says
# which.
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

begin "Start the keeper and the agent; kubelet finds and registers it"
mkdir -p "$work/kubelet/plugins/csi.esc-agent.io" "$work/kubelet/plugins_registry" "$work/stores"
cat >"$work/stores/secret-store.yaml" <<YAML
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata:
  name: secret-store
spec:
  provider:
    pulumi:
      organization: acme
      project: eso-esc-demo
      environment: esp-esc-app
      accessToken:
        secretRef:
          name: file:$work/token
YAML
"$bin/esc-keeper" --socket "$work/keeper.sock" --kubelet-dir "$work/kubelet" \
  --csi-socket "$work/kubelet/plugins/csi.esc-agent.io/csi.sock" \
  --registration-socket "$work/kubelet/plugins_registry/csi.esc-agent.io-reg.sock" \
  >"$work/keeper.log" 2>&1 &
keeper=$!
pids=("$keeper" "$dev_server")

# start_agent: sets agent.
start_agent() {
  "$bin/esc-agent" run --node-name demo-node --kubelet-dir "$work/kubelet" \
    --csi-endpoint "unix://$work/kubelet/plugins/csi.esc-agent.io/csi.sock" \
    --registration-socket "$work/kubelet/plugins_registry/csi.esc-agent.io-reg.sock" \
    --keeper-socket "$work/keeper.sock" --admin-socket "$work/admin.sock" \
    --http-listen 127.0.0.1:0 --stores "$work/stores" --esc-url "$url" \
    --refresh-interval "$interval" --mirror off >>"$work/agent.log" 2>&1 &
  agent=$!
  pids=("$agent" "$keeper" "$dev_server")
}
start_agent
kubelet register --registry-dir "$work/kubelet/plugins_registry" --timeout 10s

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
stop "$agent"
stop "$keeper"
stop "$dev_server"
for pid in "$agent" "$keeper" "$dev_server"; do
  if kill -0 "$pid" 2>/dev/null; then die "process $pid is still running"; fi
done
pids=()
if grep -q -e "$(cat "$work/token")" -e rotated "$work/agent.log"; then
  die "a value or the token is in the agent's log"
fi
say "no process; the agent's log has $(wc -l <"$work/agent.log") lines, none with a value or the token"

bold "All $step steps worked."
