# shellcheck shell=bash
# Pulumi's walkthrough, from its step 2 on. What it installs instead of us is External Secrets Operator.

# The application waits for its Secret: both are applied in any order, as Pulumi does.
install_podinfo() {
  local values=$WORK/podinfo.yaml
  if [ -n "$PODINFO_CHART" ]; then
    cat >"$values" <<'YAML'
extraEnvs:
  - name: FROM_ESC_VIA_ESO
    valueFrom: {secretKeyRef: {name: esc-secret-store, key: hello-secret}}
  - name: FROM_ESC_VIA_ESO_2
    valueFrom: {secretKeyRef: {name: esc-secret-store, key: hello}}
YAML
    if helm upgrade --install podinfo podinfo --repo "$PODINFO_CHART" --version 6.7.0 \
      --namespace podinfo --create-namespace -f "$values" >"$WORK/podinfo.log" 2>&1; then
      saw "podinfo's Helm chart is installed"
      return
    fi
    saw "podinfo's Helm chart cannot be had, a plain Deployment is used: $(tail -n 1 "$WORK/podinfo.log")"
  fi
  sed "s|image: .*|image: $PODINFO_IMAGE|" "$walkthrough/podinfo.yaml" |
    kubectl apply -f - >/dev/null
}

say "the walkthrough: store, podinfo, ExternalSecret"
walkthrough=$ROOT/manifests/examples/walkthrough
kubectl apply -f "$walkthrough/00_namespaces.yaml" >/dev/null
secret "$E2E_NAMESPACE" esc-dev-server token >"$WORK/token"
kubectl -n external-secrets create secret generic pulumi-access-token --dry-run=client -o yaml \
  --from-file=PULUMI_ACCESS_TOKEN="$WORK/token" | kubectl apply -f - >/dev/null
rm "$WORK/token"
kubectl apply -f "$walkthrough/cluster_secret_store.yaml" >/dev/null
eventually 60 "the store is ready" is True kubectl get clustersecretstore secret-store \
  -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}'
install_podinfo
kubectl apply -f "$walkthrough/external_secret.yaml" >/dev/null
eventually 60 "the ExternalSecret is synced" is SecretSynced kubectl -n podinfo get externalsecret \
  esc-secret-store -o jsonpath='{.status.conditions[?(@.type=="Ready")].reason}'
kubectl -n podinfo get externalsecret | sed 's/^/   /'
ready podinfo deployment/podinfo
eventually 30 "podinfo answers" has '"FROM_ESC_VIA_ESO=world"' podinfo_env
eventually 30 "and the second one" has '"FROM_ESC_VIA_ESO_2=world"' podinfo_env
