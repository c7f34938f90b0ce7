#!/usr/bin/env bash
# The container image, made from the programs of this build as `./dev image --from-build` makes it:
# the same twice, what is in it, and the programs at work with nothing else around them. They run in
# a read-only chroot of its files, in mount and network namespaces of the test's own: the keeper as
# root, the agent as 65532, and ESC behind a name of DNS and a certificate of TLS.
#
# usage: image_test.sh BIN_FOLDER
# Exit code 77: skipped, with the reason on the last line.
set -euo pipefail

bin=$(cd "$1" && pwd)
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

skip() {
  echo "image: SKIPPED: $*"
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "must run as root, as it uses chroot and mounts"
[ -c /dev/fuse ] || skip "there is no /dev/fuse on this machine"
command -v dpkg-query >/dev/null || skip "libraries are collected from Debian's packages"
for tool in ip openssl strip; do
  command -v "$tool" >/dev/null || skip "$tool is not installed"
done
if [ "${ESC_IMAGE_NAMESPACE:-}" != "yes" ]; then
  unshare --mount --net true 2>/dev/null || skip "this machine allows no namespaces"
  exec env ESC_IMAGE_NAMESPACE=yes unshare --mount --net --propagation private "$0" "$@"
fi

work=$(mktemp -d /tmp/esc-image.XXXXXX)
chmod 755 "$work"
root=$work/root
pids=()

finish() {
  local code=$? pid
  trap - EXIT
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[i]}
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [ "$code" -ne 0 ]; then
    for log in "$work"/*.log; do
      [ -s "$log" ] && printf '\n--- %s\n%s\n' "$log" "$(tail -n 20 "$log")" >&2
    done
  fi
  grep -o " ${work}[^ ]*" /proc/self/mountinfo | sort -ru | xargs -r -n1 umount -l 2>/dev/null || true
  rm -rf "$work"
  exit $code
}
trap finish EXIT

die() {
  echo "image: FAILED: $*" >&2
  exit 1
}
say() { printf 'image: %s\n' "$*"; }
# wait_for WHAT COMMAND...
wait_for() {
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || die "$what: not within a minute"
    sleep 0.1
  done
}

# The sanitizers' libraries are no part of the image.
if ldd "$bin/esc-agent" | grep -q 'lib[at]san'; then skip "this build has a sanitizer in it"; fi

# The commit, which is in the labels, may be another one a moment later.
make_image() {
  GIT_DIR=$work/none SOURCE_DATE_EPOCH=1700000000 "$repository/image/build.sh" --programs "$bin" --output "$1" \
    --tag esc-agent:test
}
check() { python3 -B "$repository/tests/tools/check_image.py" "$1" "$repository"; }

say "$(make_image "$work/image.tar")"
make_image "$work/again.tar" >/dev/null
cmp "$work/image.tar" "$work/again.tar" || die "the same programs gave two different images"
say "the same twice"
check "$work/image.tar" || die "see above"

# unpack ARCHIVE FOLDER: its only layer.
unpack() {
  local layer
  layer=$(tar -xOf "$1" manifest.json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["Layers"][0])')
  mkdir -p "$2"
  tar -xOf "$1" "$layer" | tar -xzf - -C "$2"
}
unpack "$work/image.tar" "$root"

# What the check is for is found by it.
cp -a "$root" "$work/tampered"
cp /bin/sh "$work/tampered/usr/local/bin/sh"
echo >>"$work/tampered/etc/passwd"
cp "$work/tampered/usr/local/bin/sh" "$work/tampered/usr/lib/libunknown.so.1"
python3 -B "$repository/image/archive.py" --root "$work/tampered" --out "$work/tampered.tar" \
  --tag esc-agent:test --version 0.0 --epoch 0 >/dev/null
if check "$work/tampered.tar" >"$work/findings"; then die "a tampered image passed the check"; fi
for finding in 'usr/local/bin/sh: can be executed' 'usr/local/bin/sh is only in the image' \
  'etc/passwd has other checksums' 'libunknown.so.1: no package' "version's label"; do
  grep -q "$finding" "$work/findings" || die "the check did not find \"$finding\" in a tampered image"
done
rm -rf "$work/tampered" "$work/tampered.tar"

certificates=$root/etc/ssl/certs/ca-certificates.crt
count=$(openssl storeutl -noout -certs "$certificates" | sed -n 's/^Total found: //p')
[ "${count:-0}" -gt 100 ] || die "$certificates has ${count:-no} certificates"

# ---- At work. What a container runtime adds: /dev, /proc, resolv.conf, volumes.
kubelet=$work/kubelet
mkdir -p "$root$work" "$root$kubelet" "$kubelet" "$work/keeper" "$root$work/keeper" "$work/admin" \
  "$root$work/admin" "$work/stores" "$root$work/stores"
chown 65532:65532 "$work/keeper" "$work/admin"
echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
cp -r "$repository/manifests/examples/walkthrough/environments" "$root$work/definitions"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=esc.test \
  -addext subjectAltName=DNS:esc.test -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
cat "$work/cert.pem" >>"$certificates"
cat >"$work/stores/store.yaml" <<'YAML'
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: secret-store}
spec:
  provider:
    pulumi:
      apiUrl: https://esc.test
      organization: acme
      project: eso-esc-demo
      environment: esp-esc-app
      accessToken: {secretRef: {name: "env:PULUMI_ACCESS_TOKEN"}}
YAML
mount --bind "$root" "$root"
mount --bind "$kubelet" "$kubelet"
mount --make-shared "$kubelet"
for folder in "$kubelet" "$work/keeper" "$work/admin" "$work/stores"; do
  mount --bind "$folder" "$root$folder"
done
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in fuse null random urandom zero; do
  cp -a "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
ip link set lo up

# The programs of the image. Not functions: in the background they shall be processes of their own.
as_agent=(chroot --userspec=65532:65532 --groups='' "$root" /usr/local/bin/esc-agent)
as_keeper=(chroot "$root" /usr/local/bin/esc-keeper)

version=$("${as_agent[@]}" --version)
say "esc-agent --version: $version"
grep -q "$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' "$repository/CMakeLists.txt")" \
  <<<"$version" || die "another version than CMakeLists.txt"
"${as_agent[@]}" eval "$work/definitions/acme/eso-esc-demo/eso-esc-dev.yaml" \
  --imports "$work/definitions" >"$work/evaluated"
grep -q '"' "$work/evaluated" || die "esc-agent eval printed nothing"

"${as_agent[@]}" dev-server --definitions "$work/definitions" --listen 127.0.0.1:0 \
  >"$work/dev-server.log" 2>&1 &
pids+=($!)
wait_for "the ESC server's address" grep -q 'http://' "$work/dev-server.log"
port=$(grep -o 'http://[0-9.:]*' "$work/dev-server.log" | head -n 1 | sed 's/.*://')
python3 -B "$repository/tests/tools/names_and_tls.py" esc.test "$work/cert.pem" "$work/key.pem" \
  "$port" >"$work/names_and_tls.log" 2>&1 &
pids+=($!)
wait_for "the name server" grep -q ready "$work/names_and_tls.log"

plugin=$kubelet/plugins/csi.esc-agent.io
mkdir -p "$plugin" "$kubelet/plugins_registry" "$kubelet/pods"
"${as_keeper[@]}" --socket "$work/keeper/keeper.sock" --kubelet-dir "$kubelet" \
  --csi-socket "$plugin/csi.sock" \
  --registration-socket "$kubelet/plugins_registry/csi.esc-agent.io-reg.sock" --agent-uid 65532 \
  >"$work/keeper.log" 2>&1 &
pids+=($!)
wait_for "the keeper's socket" test -S "$work/keeper/keeper.sock"
PULUMI_ACCESS_TOKEN=pul-test "${as_agent[@]}" run --node-name node --kubelet-dir "$kubelet" \
  --csi-endpoint "unix://$plugin/csi.sock" \
  --registration-socket "$kubelet/plugins_registry/csi.esc-agent.io-reg.sock" \
  --keeper-socket "$work/keeper/keeper.sock" --admin-socket "$work/admin/admin.sock" \
  --stores "$work/stores" --mirror off --http-listen 127.0.0.1:0 >"$work/agent.log" 2>&1 &
agent=$!
pids+=("$agent")
"$bin/fake-kubelet" register --registry-dir "$kubelet/plugins_registry" --timeout 60s

uid=5f0c3f9e-1111-4222-8333-444455556666
volume=(--endpoint "$plugin/csi.sock" --kubelet-dir "$kubelet" --pod-uid "$uid" --volume esc)
"$bin/fake-kubelet" publish "${volume[@]}" --pod-name podinfo --pod-namespace podinfo \
  --attribute clusterSecretStore=secret-store --attribute path=app
target=$kubelet/pods/$uid/volumes/kubernetes.io~csi/esc/mount
[ "$(cat "$target/hello-secret")" = world ] || die "the volume's hello-secret is not \"world\""
say "a volume from https://esc.test shows hello-secret = world"

status=/proc/$agent/status
[ "$(readlink "/proc/$agent/root")" = "$root" ] || die "the agent is not in the image"
grep -q '^Uid:[[:space:]]65532[[:space:]]65532' "$status" || die "the agent is not 65532"
grep -q '^CapEff:[[:space:]]0*$' "$status" || die "the agent has capabilities"
"${as_agent[@]}" status --admin-socket "$work/admin/admin.sock" | grep -q podinfo ||
  die "esc-agent status does not show the volume"
"$bin/fake-kubelet" unpublish "${volume[@]}"
[ ! -e "$target" ] || die "$target is still there"
say "passed"
