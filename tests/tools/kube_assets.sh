#!/usr/bin/env bash
# Puts a real kube-apiserver, etcd and kubectl into a folder, for the tests that want them
# (KUBEBUILDER_ASSETS). Built from the Go modules of Kubernetes, with the etcd that this version was
# made with; half an hour on two cores, so what is built is kept in ~/.cache/esc-agent.
#
# usage: kube_assets.sh FOLDER
# Exit code 77: they cannot be had here; the reason is on the last line.
set -euo pipefail

version=1.36.3
go_needed=1.26
programs=(etcd kubectl kube-apiserver)

folder=${1:?usage: kube_assets.sh FOLDER}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/esc-agent/kubernetes-$version

skip() {
  echo "kube-assets: SKIPPED: $*"
  exit 77
}

# package_of PROGRAM
package_of() {
  case "$1" in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
  esac
}

# A module that requires Kubernetes. Its own go.mod replaces its parts (k8s.io/api and so on) by
# folders of its repository, which counts for nobody else: they are published as v0.MINOR.PATCH.
make_module() {
  local module=$1 source
  mkdir -p "$module"
  cd "$module"
  rm -f go.mod go.sum
  go mod init esc-agent.io/kube-assets 2>/dev/null
  go mod edit -require="k8s.io/kubernetes@v$version"
  source=$(go env GOMODCACHE)/cache/download/k8s.io/kubernetes/@v/v$version.mod
  go mod download "k8s.io/kubernetes@v$version" ||
    skip "the module k8s.io/kubernetes v$version cannot be had"
  sed -n 's|^\t\(k8s\.io/[a-z-]*\) => \./staging/.*|\1|p' "$source" | while read -r part; do
    go mod edit -replace="$part=$part@v0.${version#1.}"
  done
}

build() {
  local program v=k8s.io/component-base/version
  command -v go >/dev/null || skip "Go is not installed (needs >= $go_needed)"
  printf '%s\n%s\n' "$go_needed" "$(go env GOVERSION | sed 's/^go//')" |
    sort --version-sort --check=quiet || skip "$(go version) is too old (needs >= $go_needed)"
  export GOFLAGS="-mod=mod -buildvcs=false" CGO_ENABLED=0 GOTOOLCHAIN=local
  make_module "$cache/module"
  for program in "${programs[@]}"; do
    [ -x "$cache/$program" ] && continue
    echo "kube-assets: building $program"
    nice go build -p "$(nproc)" -trimpath -o "$cache/$program.new" -ldflags "-s -w
      -X $v.gitVersion=v$version -X $v.gitMajor=1 -X $v.gitMinor=$(cut -d. -f2 <<<"$version")" \
      "$(package_of "$program")" || skip "$program cannot be built"
    mv "$cache/$program.new" "$cache/$program"
  done
}

missing() {
  local program
  for program in "${programs[@]}"; do
    [ -x "$1/$program" ] || return 0
  done
  return 1
}

if missing "$folder"; then
  if missing "$cache"; then (build); fi
  mkdir -p "$folder"
  for program in "${programs[@]}"; do
    cp --link --force "$cache/$program" "$folder/" 2>/dev/null || cp "$cache/$program" "$folder/"
  done
fi
echo "kube-assets: kube-apiserver $version, etcd and kubectl are in $folder"
