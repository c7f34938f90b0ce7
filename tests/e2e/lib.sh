# shellcheck shell=bash
# What the steps of ./dev e2e have in common. Sourced by run.sh before each step.
#
# Set by run.sh: IMAGE, PODINFO_IMAGE, CHART, PREVIOUS_CHART, RELEASE, NAMESPACE, ROOT (of the
# repository), WORK (a temporary folder that the steps share).

E2E_NAMESPACE=esc-agent-e2e
# shellcheck disable=SC2034 # used by steps
DRIVER=csi.esc-agent.io

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

# saw TEXT: what this run has observed.
saw() { printf '   %s\n' "$*"; }

fail() {
  printf '\033[1mFAILED:\033[0m %s\n' "$*" >&2
  exit 1
}

# eventually SECONDS WHAT COMMAND...: until the command succeeds. Says how long it took, and its output.
eventually() {
  local limit=$1 what=$2 start=$SECONDS output
  shift 2
  until output=$("$@" 2>&1); do
    [ $((SECONDS - start)) -lt "$limit" ] ||
      fail "not within $limit s: $what. Last answer: ${output:-none}"
    sleep 0.5
  done
  saw "$what (after $((SECONDS - start)) s)${output:+: $output}"
}

# expect WHAT EXPECTED ACTUAL
expect() {
  [ "$2" = "$3" ] || fail "$1: expected '$2', got '$3'"
  saw "$1: $3"
}

# is EXPECTED COMMAND...: the command's output is that. For eventually.
is() {
  local expected=$1 output
  shift
  output=$("$@") || return 1
  printf '%s' "$output"
  [ "$output" = "$expected" ]
}

# has EXPECTED COMMAND...: the command's output contains it; prints the first such line.
has() {
  local expected=$1 output
  shift
  output=$("$@") || return 1
  grep -m 1 -F -- "$expected" <<<"$output" || {
    tail -n 3 <<<"$output"
    return 1
  }
}

# lacks COMMAND...: it fails, since what it asks for is not there.
lacks() { ! "$@" >/dev/null 2>&1; }

k() { kubectl -n "$E2E_NAMESPACE" "$@"; }

# apply FILE: a manifest of tests/e2e/manifests, with this run's names and images.
apply() {
  sed -e "s|\${NAMESPACE}|$E2E_NAMESPACE|g; s|\${IMAGE}|$IMAGE|g" \
    -e "s|\${PODINFO_IMAGE}|$PODINFO_IMAGE|g" "$ROOT/tests/e2e/manifests/$1" |
    kubectl apply -f - >/dev/null
}

# secret NAMESPACE NAME KEY: one value.
secret() {
  kubectl -n "$1" get secret "$2" -o go-template="{{index .data \"$3\" | base64decode}}"
}

# show POD FILE...: what the reader in the pod sees.
show() {
  local pod=$1
  shift
  k exec "$pod" -c reader -- cat "$@"
}

# ready NAMESPACE KIND/NAME [SECONDS]
ready() {
  kubectl -n "$1" rollout status "$2" --timeout="${3:-180}s" >/dev/null ||
    fail "$2 in $1 is not ready: $(kubectl -n "$1" get pods -o wide; events "$1")"
}

# keepers_ready: OnDelete has no rollout to ask for.
keepers_ready() {
  local wanted ready
  read -r wanted ready < <(kubectl -n "$NAMESPACE" get "daemonset/$RELEASE-keeper" \
    -o jsonpath='{.status.desiredNumberScheduled} {.status.numberReady}{"\n"}')
  printf '%s of %s' "$ready" "$wanted"
  [ "${wanted:-0}" -gt 0 ] && [ "$ready" = "$wanted" ]
}

# pod_ready POD [SECONDS]
pod_ready() {
  k wait --for=condition=Ready "pod/$1" --timeout="${2:-120}s" >/dev/null ||
    fail "pod $1 is not ready: $(k describe pod "$1" | tail -n 15)"
}

events() {
  kubectl -n "$1" get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 10
}

# agents: the names of the agent's pods.
agents() {
  kubectl -n "$NAMESPACE" get pods -o name \
    -l "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component=agent"
}

# agent_on NODE
agent_on() {
  kubectl -n "$NAMESPACE" get pods -o name --field-selector "spec.nodeName=$1" \
    -l "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component=agent"
}

# podinfo_env: what `curl localhost:9898/env | grep FROM` prints, through the API server.
podinfo_env() {
  local pod
  pod=$(kubectl -n podinfo get pods -l app.kubernetes.io/name=podinfo \
    --field-selector status.phase=Running -o jsonpath='{.items[0].metadata.name}')
  kubectl get --raw "/api/v1/namespaces/podinfo/pods/$pod:9898/proxy/env" | grep FROM
}

# uid NAMESPACE KIND/NAME
uid() { kubectl -n "$1" get "$2" -o jsonpath='{.metadata.uid}'; }

# define FILE...: the definitions that the ESC server has, the walkthrough's and these, which win; the
# Deployment's ConfigMap. A pod that
# changes is looked at at once by kubelet, which then brings its ConfigMap up to date; by itself it
# does so every one to two minutes.
define() {
  local file args=()
  local -A files=()
  for file in "$ROOT"/manifests/examples/walkthrough/environments/acme/eso-esc-demo/*.yaml "$@"; do
    files[$(basename "$file")]=$file
  done
  for file in "${!files[@]}"; do args+=(--from-file "$file=${files[$file]}"); done
  k create configmap definitions --dry-run=client -o yaml "${args[@]}" |
    k apply --server-side --force-conflicts -f - >/dev/null
  k annotate pods -l app=esc-dev-server --overwrite "definitions=$(date +%s%N)" >/dev/null
}

# install_chart CHART [HELM ARGUMENT...]
install_chart() {
  local chart=$1
  shift
  helm upgrade --install "$RELEASE" "$chart" --namespace "$NAMESPACE" --create-namespace \
    --set image.repository="${IMAGE%:*}" --set image.tag="${IMAGE##*:}" \
    --set escUrl="http://$(esc_address)" --set allowPlainHttp=true \
    --wait --timeout 5m "$@"
}

# The ESC server's address, as agents on any node reach it, whatever their DNS.
esc_address() {
  k get service esc-dev-server -o jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}'
}

# helper_on NODE SCRIPT: runs a shell script as root in the node's process namespace, its /run, and
# kubelet's folder at /kubelet (read-only).
helper_on() {
  local node=$1 script=$2 name=node-helper
  k delete pod "$name" --ignore-not-found --wait >/dev/null
  sed -e "s|\${NODE}|$node|; s|\${PODINFO_IMAGE}|$PODINFO_IMAGE|" \
    "$ROOT/tests/e2e/manifests/node_helper.yaml" | k apply -f - >/dev/null
  pod_ready "$name"
  k exec "$name" -- sh -c "$script"
}

# counts: of all readers together: reads, failed reads, the longest read in hundredths of a second.
counts() {
  local pod
  for pod in $(k get pods -l app=readers -o name); do
    k exec "$pod" -- cat /tmp/count 2>/dev/null # not in one that ends
  done | awk '{reads += $1; failed += $2; if ($3 > longest) longest = $3}
    END {print reads + 0, failed + 0, longest + 0}'
}

# start_readers: three pods that read all the time, with counts from zero.
start_readers() {
  apply readers.yaml
  k rollout restart deployment/readers >/dev/null
  ready "$E2E_NAMESPACE" deployment/readers
  eventually 30 "all readers have read" reads_at_least 1
}

# reads_at_least N
reads_at_least() {
  local reads failed longest
  read -r reads failed longest < <(counts)
  printf '%s reads, %s failed, the longest took %s ms' "$reads" "$failed" "$((longest * 10))"
  [ "$reads" -ge "$1" ]
}

# expect_no_failed_read WHAT: readers have gone on since start_readers, and no read failed.
expect_no_failed_read() {
  local reads failed longest
  read -r reads failed longest < <(counts)
  eventually 90 "$1: readers go on" reads_at_least "$((reads + 60))"
  read -r reads failed longest < <(counts)
  [ "$failed" -eq 0 ] || fail "$1: $failed of $reads reads failed: $(
    k exec deployment/readers -- sort /tmp/errors | uniq -c | head -n 3)"
}
