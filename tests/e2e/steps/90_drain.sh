# shellcheck shell=bash
# volumes_on NODE: how many the agent there has.
volumes_on() {
  kubectl -n "$NAMESPACE" exec "$(agent_on "$1")" -- esc-agent status --json |
    grep -c '"volumeId"' || true
}

say "node drain"
start_readers
node=$(k get pods -l app=readers -o jsonpath='{.items[0].spec.nodeName}')
saw "$node has $(volumes_on "$node") volumes"
trap 'kubectl uncordon "$node" >/dev/null' EXIT
# Of pods without a controller there are ours, in this run's namespace.
kubectl drain "$node" --ignore-daemonsets --delete-emptydir-data --force --timeout=180s \
  >"$WORK/drain" 2>&1 || fail "drain: $(tail -n 10 "$WORK/drain")"
saw "$(tail -n 1 "$WORK/drain")"
eventually 60 "no volume is left on $node" is 0 volumes_on "$node"
kubectl uncordon "$node" >/dev/null
trap - EXIT
ready "$E2E_NAMESPACE" deployment/esc-dev-server
ready "$E2E_NAMESPACE" deployment/readers
saw "after uncordon the pods are back"
ready podinfo deployment/podinfo
eventually 60 "podinfo answers" has '"FROM_ESC_VIA_ESO=world"' podinfo_env
start_readers
expect_no_failed_read "after the drain"
