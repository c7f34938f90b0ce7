#!/usr/bin/env bash
# Runs Pulumi's official TypeScript SDK (npm @pulumi/esc-sdk) against our offline server. The SDK
# drops the port of its base URL, so the server listens on port 80 of a network namespace of its own.
# Exit code 77, with a line that says why, where it cannot run.
#
# usage: esc_sdk.sh BIN_FOLDER
set -euo pipefail
bin=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=0.12.4

skip() {
  echo "SKIPPED: $*"
  exit 77
}

if [ "${ESC_SDK_NAMESPACE:-}" != "yes" ]; then
  [ "$(id -u)" -eq 0 ] || skip "needs root for a network namespace"
  command -v npm >/dev/null || skip "npm is not installed"
  command -v ip >/dev/null || skip "ip (iproute2) is not installed"
  sdk=$(dirname "$bin")/esc-sdk
  mkdir -p "$sdk"
  if [ ! -d "$sdk/node_modules/@pulumi/esc-sdk" ]; then
    (cd "$sdk" && npm install --silent --no-audit --no-fund --no-save "@pulumi/esc-sdk@$version") ||
      skip "npm could not install @pulumi/esc-sdk@$version"
  fi
  ESC_SDK_NAMESPACE=yes exec unshare --net "$0" "$bin"
fi

ip link set lo up
log=$(mktemp)
# The SDK writes: a copy.
definitions=$(mktemp -d)
cp -r "$here/../../manifests/examples/walkthrough/environments/." "$definitions"
"$bin/esc-agent" dev-server --listen 127.0.0.1:80 --definitions "$definitions" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$log" "$definitions"' EXIT
for _ in $(seq 200); do
  grep -q 'http://' "$log" && break
  kill -0 "$server" 2>/dev/null || { cat "$log"; exit 1; }
  sleep 0.05
done
cd "$(dirname "$bin")/esc-sdk"
timeout 60 node "$here/esc_sdk.mjs" http://127.0.0.1 any-token
