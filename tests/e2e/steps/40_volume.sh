# shellcheck shell=bash
# shellcheck disable=SC2016 # expanded in the pod
say "volumes: files, subPath, fsGroup, dotenv, json, tmpfs, mirrorTo"
apply stores.yaml
apply volumes.yaml
pod_ready volumes
expect "a file" db.example.com "$(show volumes /esc/files/database/host)"
expect "a secret" first-password "$(show volumes /esc/files/database/password)"
expect "two lines" "line one line two" "$(show volumes /esc/files/motd | xargs)"
expect "mode and group of a file with fsGroup" "440 2000" \
  "$(k exec volumes -c reader -- stat -L -c '%a %g' /esc/files/database/password)"
expect "by subPath" db.example.com "$(show volumes /esc/host)"
expect "dotenv, sourced by a shell" "postgresql://shop:first-password@db.example.com" \
  "$(k exec volumes -c reader -- sh -c '. /esc/dotenv/.env && echo "$url"')"
expect "JSON" 5432 "$(show volumes /esc/json/values.json | tr -d ' \n' | sed 's/.*"port":\([0-9]*\).*/\1/')"
expect "backend tmpfs" db.example.com "$(show volumes /esc/tmpfs/host)"
expect "an env var from the volume's Secret" first-password \
  "$(k exec volumes -c reader -- sh -c 'echo "$PASSWORD"')"
if k exec volumes -c reader -- sh -c 'echo x >/esc/files/x' >"$WORK/write" 2>&1; then
  fail "a pod could write into its volume"
fi
saw "writing is refused: $(head -n 1 "$WORK/write")"

say "a volume whose store does not exist"
apply wrong_volume.yaml
eventually 60 "the pod's events say so" has no-such-store k get events \
  --field-selector involvedObject.name=wrong,reason=FailedMount -o jsonpath='{.items[*].message}'
k delete pod wrong --wait --timeout=60s >/dev/null
saw "the pod is gone again"

say "esc-agent status"
kubectl -n "$NAMESPACE" exec "$(agent_on "$(k get pod volumes -o jsonpath='{.spec.nodeName}')")" -- \
  esc-agent status | sed 's/^/   /'

say "esc-agent doctor, in the agent's pod"
kubectl -n "$NAMESPACE" exec "$(agent_on "$(k get pod volumes -o jsonpath='{.spec.nodeName}')")" -- \
  esc-agent doctor | sed 's/^/   /'
