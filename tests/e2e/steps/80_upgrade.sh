# shellcheck shell=bash
say "helm upgrade, with pods running${PREVIOUS_CHART:+, from $PREVIOUS_CHART}"
start_readers
keeper=$(kubectl -n "$NAMESPACE" get pods -l app.kubernetes.io/component=keeper \
  -o jsonpath='{.items[*].metadata.uid}')
agents=$(agents | sort | xargs)
install_chart "$CHART" --set logLevel=debug --set keeper.watchdogSeconds=90 >"$WORK/upgrade" ||
  fail "helm: $(tail -n 5 "$WORK/upgrade")"
saw "$(helm list -n "$NAMESPACE" --no-headers | head -n 1)"
ready "$NAMESPACE" "daemonset/$RELEASE" 300
[ "$(agents | sort | xargs)" != "$agents" ] || fail "the agents were not replaced"
expect "the keepers, which are left alone (OnDelete)" "$keeper" "$(kubectl -n "$NAMESPACE" get pods \
  -l app.kubernetes.io/component=keeper -o jsonpath='{.items[*].metadata.uid}')"
expect_no_failed_read "helm upgrade"

say "a new keeper on one node: the pod is deleted"
node=$(k get pods -l app=readers -o jsonpath='{.items[0].spec.nodeName}')
kubectl -n "$NAMESPACE" delete pod --wait --timeout=60s -l app.kubernetes.io/component=keeper \
  --field-selector "spec.nodeName=$node" >/dev/null
eventually 60 "the new one runs" has true kubectl -n "$NAMESPACE" get pods \
  -l app.kubernetes.io/component=keeper --field-selector "spec.nodeName=$node" \
  -o jsonpath='{.items[*].status.containerStatuses[0].ready}'
expect_no_failed_read "replacement of the keeper"
kubectl -n "$NAMESPACE" wait --for=condition=Ready "$(agent_on "$node")" --timeout=60s >/dev/null
say "and a pod that starts now"
k delete pod volumes --wait --timeout=60s >/dev/null
apply volumes.yaml
pod_ready volumes
expect "a file" db.example.com "$(show volumes /esc/files/database/host)"
