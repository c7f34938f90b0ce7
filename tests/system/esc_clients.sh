#!/usr/bin/env bash
# Runs one of Pulumi's official clients that are written in Go against our offline server: the SDK
# (github.com/pulumi/esc-sdk) or the CLI. `./dev esc-clients` builds them, which takes minutes; exit
# code 77, with a line that says why, where it has not.
#
# usage: esc_clients.sh sdk|cli BIN_FOLDER
#        esc_clients.sh build FOLDER
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The last version of the CLI whose modules can be had.
cli=github.com/pulumi/esc/cmd/esc@v0.24.0

if [ "$1" = build ]; then
  mkdir -p "$2"
  folder=$(realpath "$2")
  PATH=$PATH:/usr/local/go/bin
  export GOBIN=$folder CGO_ENABLED=0 GOFLAGS=-modcacherw
  (cd "$here/esc_go_sdk" && go build -o "$folder/esc_go_sdk" .)
  go install "$cli"
  exit
fi

client=$1
bin=$(realpath "$2")
folder=$bin/../../esc-clients
program=$folder/$([ "$client" = sdk ] && echo esc_go_sdk || echo esc)
if [ ! -x "$program" ]; then
  echo "SKIPPED: ./dev esc-clients has not built the official clients"
  exit 77
fi

work=$(mktemp -d)
mkdir -p "$work/definitions/acme"
: >"$work/log"
echo hunter2 >"$work/file"
export ESC_CLIENTS_TEST=from-the-variable
"$bin/esc-agent" dev-server --listen 127.0.0.1:0 --definitions "$work/definitions" \
  --provider-files "$work" --allow-env "OTHER,ESC_CLIENTS_TEST" >"$work/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 200); do
  grep -q 'http://' "$work/log" && break
  kill -0 "$server" 2>/dev/null || { cat "$work/log"; exit 1; }
  sleep 0.05
done
url=$(grep -o 'http://[0-9.:]*' "$work/log" | head -n 1)

if [ "$client" = sdk ]; then
  timeout 60 "$program" "$url" any-token
  exit
fi

export PULUMI_BACKEND_URL=$url PULUMI_ACCESS_TOKEN=any PULUMI_HOME=$work/home
dev=acme/cli/dev

# esc ARGUMENT...: what it prints, or the end of the test.
esc() {
  timeout 60 "$program" "$@" </dev/null >"$work/out" 2>&1 || { echo "esc $*:"; cat "$work/out"; exit 1; }
}
# has TEXT, lacks TEXT: in what was printed last.
has() { grep -qF -- "$1" "$work/out" || { echo "not printed: $1"; cat "$work/out"; exit 1; }; }
lacks() { ! grep -qF -- "$1" "$work/out" || { echo "printed: $1"; cat "$work/out"; exit 1; }; }

esc login
esc env init "$dev"
esc env ls && has "$dev"
esc env set "$dev" a.b hello
esc env set "$dev" pw s3cret --secret
esc env get "$dev" && has ciphertext && lacks s3cret
esc env get "$dev" --show-secrets && has s3cret
esc open "$dev" && has '"b": "hello"' && has s3cret
esc env get "$dev" a.b && has '"hello"' && has "Defined at" && has "dev:"
esc env get "$dev" a.b --value string && has hello
esc env get "$dev" pw && has ciphertext && lacks s3cret
esc env get "$dev" pw --show-secrets --value string && has s3cret
esc env set "$dev" environmentVariables.GREETING hi
# shellcheck disable=SC2016  # the variable is the program's
esc run "$dev" -- sh -c 'echo "says $GREETING"' && has "says hi"
esc env version history "$dev" && has "revision 4 (tag: latest)" && has "revision 1"
esc env version tag "$dev@stable" @2
esc env version "$dev@stable" && has "Revision 2"
esc env version tag ls "$dev" && has stable
esc env diff "$dev@stable" "$dev@latest" && has '+  pw:'
esc env version rollback "$dev@stable"
esc open "$dev" && lacks s3cret
esc env version retract "$dev@3" --reason leaked
esc env version history "$dev" && has leaked
esc env tag "$dev" team ops
esc env tag ls "$dev" && has team
rotated=acme/cli/rotated
esc env init "$rotated"
esc env set "$rotated" password '{"fn::rotate::password": {"inputs": {"length": 24}}}'
esc env set "$rotated" other '{"fn::rotate::password": {"inputs": {}}}'
esc env rotate "$rotated" && has "rotated." && has "New revision '4'"
esc open "$rotated" && cp "$work/out" "$work/first"
esc env rotate "$rotated" password && has "New revision '5'"
esc open "$rotated"
[ "$(grep '"other"' "$work/out")" = "$(grep '"other"' "$work/first")" ]
[ "$(grep '"password"' "$work/out")" != "$(grep '"password"' "$work/first")" ]
esc env diff "$rotated@4" "$rotated@5" && has ciphertext
esc env set "$rotated" other '{"fn::rotate::password": {"inputs": {"length": 0}}}'
esc env rotate "$rotated" && has "rotated with errors" && has "Path: values.other, error: "
esc env rm "$rotated" --yes
esc env init acme/cli/providers
esc env set acme/cli/providers file '{"fn::open::file": {"path": "file"}}'
esc env set acme/cli/providers env '{"fn::open::env": {"names": ["ESC_CLIENTS_TEST"]}}'
esc env get acme/cli/providers file && lacks hunter2
esc open acme/cli/providers && has hunter2 && has from-the-variable
esc env rm acme/cli/providers --yes
esc env webhook new "$dev" alerts --url http://127.0.0.1:9/
esc env webhook list "$dev" && has alerts
esc env clone "$dev" cli/copy
esc env rm acme/cli/copy --yes
esc env settings set "$dev" deletion-protected true
if timeout 60 "$program" env rm "$dev" --yes >"$work/out" 2>&1; then
  echo "a protected environment was removed"
  exit 1
fi
has "deletion protection is enabled"
esc env settings set "$dev" deletion-protected false
esc env rm "$dev" --yes
echo "esc: all as expected"
