# shellcheck shell=bash
# shellcheck disable=SC2016 # expanded in the pod
# restarts POD
restarts() {
  kubectl -n "$NAMESPACE" get "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}'
}

# more_restarts_than N POD
more_restarts_than() {
  local now
  now=$(restarts "$2")
  printf '%s restarts' "$now"
  [ "$now" -gt "$1" ]
}

say "kill -9 of the agent, under readers"
start_readers
node=$(k get pods -l app=readers -o jsonpath='{.items[0].spec.nodeName}')
agent=$(agent_on "$node")
before=$(restarts "$agent")
saw "killed on $node: process $(helper_on "$node" \
  'pid=$(pidof esc-agent | tr " " "\n" | while read -r p; do
     grep -qz "^run$" "/proc/$p/cmdline" && echo "$p"; done) && kill -9 $pid && echo "$pid"')"
eventually 60 "kubelet has started it again" more_restarts_than "$before" "$agent"
expect_no_failed_read "kill -9"
ready "$NAMESPACE" "daemonset/$RELEASE"
k delete pod node-helper --wait=false >/dev/null
