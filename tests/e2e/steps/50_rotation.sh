# shellcheck shell=bash
# shellcheck disable=SC2016 # expanded in the pod
say "rotation: a changed definition is seen in pods and in Secrets"
sed 's/first-password/second-password/' "$ROOT/tests/e2e/definitions/files.yaml" >"$WORK/files.yaml"
sed 's/world/mars/' "$ROOT/manifests/examples/walkthrough/environments/acme/eso-esc-demo/esp-esc-app.yaml" \
  >"$WORK/esp-esc-app.yaml"
inode=$(k exec volumes -c reader -- readlink /esc/files/..data)
define "$WORK/files.yaml" "$WORK/esp-esc-app.yaml"
eventually 120 "the pod sees the new password" is second-password show volumes /esc/files/database/password
eventually 60 "and what is made of it" is "postgresql://shop:second-password@db.example.com" \
  k exec volumes -c reader -- sh -c '. /esc/dotenv/.env && echo "$url"'
eventually 60 "the volume in memory, too" is second-password show volumes /esc/tmpfs/password
eventually 60 "the volume's Secret" is second-password secret "$E2E_NAMESPACE" from-volume password
eventually 60 "the ExternalSecret's Secret" is mars secret podinfo esc-secret-store hello-secret
[ "$(k exec volumes -c reader -- readlink /esc/files/..data)" != "$inode" ] ||
  fail "..data still leads to $inode"
define "$ROOT/tests/e2e/definitions/files.yaml"
eventually 120 "and back" is first-password show volumes /esc/files/database/password
eventually 60 "the Secret, too" is world secret podinfo esc-secret-store hello-secret
