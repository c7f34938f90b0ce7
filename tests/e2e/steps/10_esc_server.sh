# shellcheck shell=bash
say "the offline ESC server, in the cluster"
kubectl create namespace "$E2E_NAMESPACE" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
# Pods of this run need it, ours (node-helper) among them.
kubectl label namespace "$E2E_NAMESPACE" --overwrite \
  pod-security.kubernetes.io/enforce=privileged >/dev/null
if ! k get secret esc-dev-server >/dev/null 2>&1; then
  k create secret generic esc-dev-server \
    --from-literal=token="pul-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')" >/dev/null
fi
define "$ROOT/tests/e2e/definitions/files.yaml"
apply esc_server.yaml
ready "$E2E_NAMESPACE" deployment/esc-dev-server
saw "ESC answers at http://$(esc_address)"
