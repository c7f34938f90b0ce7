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
killed=$(helper_on "$node" 'for p in $(pidof esc-agent); do
    case "$(tr "\0" " " <"/proc/$p/cmdline")" in
      "/usr/local/bin/esc-agent run "*) kill -9 "$p" && echo "$p" ;;
    esac
  done')
[ -n "$killed" ] || fail "no process of the agent was found on $node"
saw "killed on $node: process $killed"
eventually 60 "kubelet has started it again" more_restarts_than "$before" "$agent"
expect_no_failed_read "kill -9"
ready "$NAMESPACE" "daemonset/$RELEASE"
k delete pod node-helper --wait=false >/dev/null
