#!/usr/bin/env bash
# Runs csi-sanity, the conformance suite of the CSI project, against the real agent with the offline
# ESC server behind it. csi-sanity-shim stands between, see tests/tools/sanity_shim.cc: the suite
# expects a controller, and publishes writable volumes for no pod.
#
# usage: csi_sanity.sh BIN_FOLDER
# Exit code 77: skipped, with the reason on the last line.
set -euo pipefail

version=v5.5.0
go_needed=1.25
# With Controller.Server skipped, what reaches a node service with GET_VOLUME_STATS.
specs=17

bin=$(cd "$1" && pwd)
tool=$bin/../csi-sanity/$version/csi-sanity

skip() {
  echo "csi-sanity: SKIPPED: $*"
  exit 77
}

[ "$(id -u)" -eq 0 ] || skip "must run as root, as the agent mounts"
[ -c /dev/fuse ] || skip "there is no /dev/fuse on this machine"
if [ ! -x "$tool" ]; then
  command -v go >/dev/null || skip "Go is not installed (needs >= $go_needed)"
  go_version=$(go env GOVERSION)
  printf '%s\n%s\n' "$go_needed" "${go_version#go}" | sort --version-sort --check=quiet ||
    skip "$go_version is too old (needs >= $go_needed)"
  mkdir -p "$(dirname "$tool")"
  if ! GOBIN=$(dirname "$tool") GOFLAGS=-mod=mod GOTOOLCHAIN=local \
    go install "github.com/kubernetes-csi/csi-test/v5/cmd/csi-sanity@$version" \
    2>"$(dirname "$tool")/install.log"; then
    skip "go install failed: $(tail -n 1 "$(dirname "$tool")/install.log")"
  fi
fi

# Everything that is mounted here stays in a mount namespace of the test's own.
if [ "${ESC_SANITY_NAMESPACE:-}" != "yes" ]; then
  exec env ESC_SANITY_NAMESPACE=yes unshare --mount --propagation private "$0" "$@"
fi

work=$(mktemp -d /tmp/esc-sanity.XXXXXX)
pids=()

finish() {
  local code=$? pid
  trap - EXIT
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if grep -q " $work" /proc/self/mountinfo; then
    echo "csi-sanity: FAILED: something is still mounted below $work" >&2
    grep -o " ${work}[^ ]*" /proc/self/mountinfo | xargs -r -n1 umount -l
    code=1
  fi
  if [ "$code" -ne 0 ]; then
    for log in "$work"/*.log; do
      [ -s "$log" ] && printf -- '--- %s\n%s\n' "$log" "$(tail -n 40 "$log")" >&2
    done
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

# wait_for WHAT COMMAND...: until the command succeeds, for at most 10 s.
wait_for() {
  local what=$1 deadline=$((SECONDS + 10))
  shift
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "csi-sanity: FAILED: $what: not within 10 s" >&2
      exit 1
    fi
    sleep 0.05
  done
}

mkdir -p "$work/definitions/acme/web" "$work/stores" "$work/kubelet/plugins_registry" \
  "$work/kubelet/plugins/esc" "$work/kubelet/pods"
printf 'values:\n  app:\n    hello: world\n    count: 3\n' >"$work/definitions/acme/web/sanity.yaml"
head -c 32 /dev/urandom | base64 >"$work/token"

ESC_AGENT_TOKEN=$(cat "$work/token") "$bin/esc-agent" dev-server --definitions "$work/definitions" \
  --listen 127.0.0.1:0 >"$work/dev-server.log" 2>&1 &
pids+=("$!")
wait_for "the ESC server's address" grep -q 'http://' "$work/dev-server.log"
url=$(grep -o 'http://[0-9.:]*' "$work/dev-server.log" | head -n 1)

cat >"$work/stores/store.yaml" <<YAML
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata:
  name: sanity
spec:
  provider:
    pulumi:
      organization: acme
      project: web
      environment: sanity
      accessToken:
        secretRef:
          name: file:$work/token
YAML
csi_socket=$work/kubelet/plugins/esc/csi.sock
"$bin/esc-agent" run --node-name sanity-node --kubelet-dir "$work/kubelet" \
  --csi-endpoint "unix://$csi_socket" --kubelet-registration-path "$csi_socket" \
  --registration-socket "$work/kubelet/plugins_registry/csi.esc-agent.io-reg.sock" \
  --admin-socket "$work/admin.sock" --http-listen 127.0.0.1:0 --stores "$work/stores" \
  --esc-url "$url" --mirror off >"$work/agent.log" 2>&1 &
pids+=("$!")
wait_for "the agent's CSI socket" "$bin/fake-kubelet" probe --endpoint "$csi_socket"

"$bin/csi-sanity-shim" --listen "$work/shim.sock" --endpoint "$csi_socket" \
  --attribute clusterSecretStore=sanity --attribute path=app >"$work/shim.log" 2>&1 &
pids+=("$!")
wait_for "the shim's socket" "$bin/fake-kubelet" probe --endpoint "$work/shim.sock"

# The suite makes and removes the mount folder itself, below kubelet's pods as on a node.
"$tool" --csi.endpoint="$work/shim.sock" --csi.mountdir="$work/kubelet/pods/sanity" \
  --csi.stagingdir="$work/staging" --ginkgo.skip='Controller.Server' --ginkgo.no-color \
  >"$work/sanity.log" 2>&1 || true
summary=$(grep -E '^(SUCCESS|FAIL)!' "$work/sanity.log" | tail -n 1)
if ! grep -qE "^SUCCESS! -- $specs Passed \| 0 Failed" "$work/sanity.log"; then
  grep -E '^ *\[FAIL\]' "$work/sanity.log" >&2 || true
  echo "csi-sanity: FAILED: expected $specs specs to pass, got: ${summary:-no summary}" >&2
  exit 1
fi
if grep -q "$(cat "$work/token")" "$work/agent.log"; then
  echo "csi-sanity: FAILED: the token is in the agent's log" >&2
  exit 1
fi
echo "csi-sanity $version: $specs specs passed, 0 failed (Identity and Node)"
