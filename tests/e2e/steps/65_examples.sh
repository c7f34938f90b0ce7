# shellcheck shell=bash
# shellcheck disable=SC2016 # expanded in the pod
# The examples, one by one, as they are but for the images.
p() { kubectl -n podinfo "$@"; }

# example NAME
example() {
  say "example: $1"
  sed "s|image: busybox.*|image: $PODINFO_IMAGE|" "$ROOT/manifests/examples/$1.yaml" |
    kubectl apply -f - >/dev/null
}

# example_pod NAME POD
example_pod() {
  example "$1"
  p wait --for=condition=Ready "pod/$2" --timeout=120s >/dev/null ||
    fail "pod $2 is not ready: $(p describe pod "$2" | tail -n 15)"
}

example_pod volume volume
expect "hello-secret" world "$(p exec volume -- cat /etc/esc/hello-secret)"
expect "the files" "hello hello-secret" "$(p exec volume -- ls /etc/esc | xargs)"
example_pod sub_path sub-path
expect "the file" world "$(p exec sub-path -- cat /etc/hello)"
example_pod fs_group fs-group
expect "the file" world "$(p exec fs-group -- cat /etc/esc/hello-secret)"
expect "its mode and owner" "-r--r----- 0 20001" \
  "$(p exec fs-group -- stat -L -c '%A %u %g' /etc/esc/hello-secret)"
example_pod dotenv dotenv
expect "the log" "hello=world hello_secret=world" "$(p logs dotenv | xargs)"
example_pod mirror_to mirror-to
expect "the log" "world world" "$(p logs mirror-to | xargs)"

example push_secret
eventually 60 "the PushSecret" is Synced p get pushsecret database \
  -o jsonpath='{.status.conditions[?(@.type=="Ready")].reason}'

example restart_on_change
p rollout status deployment/restart-on-change --timeout=120s >/dev/null ||
  fail "restart-on-change is not ready: $(p get pods)"
expect "the log" HELLO=world "$(p logs deployment/restart-on-change)"
generation=$(p get deployment restart-on-change -o jsonpath='{.metadata.generation}')
sed 's/hello: world/hello: mars/' \
  "$ROOT/manifests/examples/walkthrough/environments/acme/eso-esc-demo/esp-esc-app.yaml" \
  >"$WORK/esp-esc-app.yaml"
define "$ROOT/tests/e2e/definitions/files.yaml" "$WORK/esp-esc-app.yaml"
rolled() { [ "$(p get deployment restart-on-change -o jsonpath='{.metadata.generation}')" -gt "$generation" ]; }
eventually 120 "a changed value rolls the Deployment" rolled
p rollout status deployment/restart-on-change --timeout=120s >/dev/null
eventually 30 "the new pod's log" is HELLO=mars p logs deployment/restart-on-change
expect "the file, in the volume" mars "$(p exec volume -- cat /etc/esc/hello)"

for example in volume sub_path fs_group dotenv mirror_to push_secret restart_on_change; do
  kubectl delete --wait --timeout=120s -f "$ROOT/manifests/examples/$example.yaml" >/dev/null
done
define "$ROOT/tests/e2e/definitions/files.yaml"
lacks_mirror_to() { lacks p get secret mirror-to; }
eventually 60 "the volume's Secret went with its pod" lacks_mirror_to
saw "the examples are gone again"
