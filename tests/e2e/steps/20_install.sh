# shellcheck shell=bash
say "helm install"
# The keeper is privileged, which a namespace must allow.
kubectl create namespace "$NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
kubectl label namespace "$NAMESPACE" --overwrite \
  pod-security.kubernetes.io/enforce=privileged >/dev/null
install_chart "${PREVIOUS_CHART:-$CHART}" >"$WORK/notes" || fail "helm: $(tail -n 5 "$WORK/notes")
$(kubectl -n "$NAMESPACE" get pods -o wide)
$(events "$NAMESPACE")"
saw "$(helm list -n "$NAMESPACE" --no-headers | head -n 1)"
eventually 180 "keepers are ready" keepers_ready
ready "$NAMESPACE" "daemonset/$RELEASE"
kubectl -n "$NAMESPACE" get pods -o wide | sed 's/^/   /'
eventually 60 "kubelet has registered the driver on every node" \
  is "$(agents | wc -l)" bash -c "kubectl get csinodes \
    -o jsonpath='{range .items[*]}{range .spec.drivers[*]}{.name}{\"\n\"}{end}{end}' | grep -c '^$DRIVER$'"
expect "the CSIDriver's modes" '["Ephemeral"]' \
  "$(kubectl get csidriver "$DRIVER" -o jsonpath='{.spec.volumeLifecycleModes}')"
expect "agents run as" 65532 "$(kubectl -n "$NAMESPACE" get "$(agents | head -n 1)" \
  -o jsonpath='{.spec.securityContext.runAsUser}')"
say "helm test"
helm test "$RELEASE" -n "$NAMESPACE" --timeout 3m >"$WORK/helm-test" 2>&1 ||
  fail "helm test: $(tail -n 20 "$WORK/helm-test")"
saw "$(grep -E 'Phase|Succeeded' "$WORK/helm-test" | xargs)"
