# shellcheck shell=bash
# left: everything that a label says is ours, of every kind that can be listed.
left() {
  local kind
  for kind in $(kubectl api-resources --verbs=list -o name | grep -v '^events'); do
    kubectl get "$kind" -A -o name -l "app.kubernetes.io/instance=$RELEASE" 2>/dev/null
  done
  kubectl get crd -o name | grep '\.external-secrets\.io$' || true
  kubectl get csidrivers -o name | grep "/$DRIVER$" || true
}

# drivers: nodes that still say they have the driver.
drivers() {
  kubectl get csinodes -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.spec.drivers[*].name}{"\n"}{end}' |
    grep "$DRIVER" || true
}

say "uninstall, as docs/operations.md says: the pods with volumes first"
node=$(kubectl get nodes -o jsonpath='{.items[0].metadata.name}')
k delete deployment readers --ignore-not-found --wait >/dev/null
k delete pods --all --wait --timeout=120s >/dev/null
kubectl delete namespace podinfo external-secrets --wait --timeout=180s >/dev/null
saw "pods with volumes are gone, and the walkthrough's namespaces"
helm uninstall "$RELEASE" -n "$NAMESPACE" --wait --timeout 3m >"$WORK/uninstall" 2>&1 ||
  fail "helm: $(tail -n 5 "$WORK/uninstall")"
kubectl get crd -o name | grep '\.external-secrets\.io$' | xargs -r kubectl delete --wait --timeout=120s >/dev/null
kubectl delete namespace "$NAMESPACE" --wait --timeout=180s >/dev/null
expect "objects of ours in the cluster" "" "$(left)"
eventually 60 "no node has the driver" is "" drivers
expect "on $node" "" "$(helper_on "$node" '
  ls -d /kubelet/plugins/csi.esc-agent.io/csi.sock /kubelet/plugins_registry/csi.esc-agent.io-reg.sock \
    /node-run/esc-keeper/keeper.sock 2>/dev/null
  grep " fuse" /proc/1/mounts | grep -i esc || true')"
kubectl delete namespace "$E2E_NAMESPACE" --wait --timeout=180s >/dev/null
saw "nothing is left"
