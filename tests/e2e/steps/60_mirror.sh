# shellcheck shell=bash
say "mirror: what others do to a Secret is put right"
kubectl -n podinfo patch secret esc-secret-store --type merge \
  -p '{"stringData":{"hello":"tampered","added":"x"}}' >/dev/null
eventually 30 "a changed value is repaired" is world secret podinfo esc-secret-store hello
expect "a key that somebody added" "" \
  "$(kubectl -n podinfo get secret esc-secret-store -o jsonpath='{.data.added}')"
before=$(uid podinfo secret/esc-secret-store)
kubectl -n podinfo delete secret esc-secret-store >/dev/null
eventually 30 "a deleted Secret is made again" is world secret podinfo esc-secret-store hello
[ "$(uid podinfo secret/esc-secret-store)" != "$before" ] || fail "it was never deleted"
kubectl -n podinfo delete externalsecret esc-secret-store >/dev/null
eventually 60 "the Secret goes with its ExternalSecret" \
  lacks kubectl -n podinfo get secret esc-secret-store
kubectl apply -f "$ROOT/manifests/examples/walkthrough/external_secret.yaml" >/dev/null
eventually 30 "and comes back with it" is world secret podinfo esc-secret-store hello
