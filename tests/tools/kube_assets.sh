#!/usr/bin/env bash
# Puts a real kube-apiserver, etcd and kubectl into a folder, for the tests that want them
# (KUBEBUILDER_ASSETS). Built from the Go modules of Kubernetes, with the etcd that this version was
# made with; half an hour on two cores, so what is built is kept in ~/.cache/esc-agent.
# With "cluster" also what a node needs (kube_cluster.sh), and podinfo to run on it;
# another half an hour.
#
# usage: kube_assets.sh FOLDER [cluster]
# Exit code 77: they cannot be had here; the reason is on the last line.
set -euo pipefail

version=1.36.3
containerd_version=2.3.7
# Its tags are no versions to Go.
podinfo_version=1.8.1-0.20250910200901-e86405a8674e
go_needed=1.26
programs=(etcd kubectl kube-apiserver)

folder=${1:?usage: kube_assets.sh FOLDER [cluster]}
if [ "${2:-}" = cluster ]; then
  programs+=(kubelet kube-controller-manager kube-scheduler kube-proxy
    containerd containerd-shim-runc-v2 ctr podinfo)
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/esc-agent/kubernetes-$version

skip() {
  echo "kube-assets: SKIPPED: $*"
  exit 77
}

# package_of PROGRAM
package_of() {
  case "$1" in
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    containerd* | ctr) echo "github.com/containerd/containerd/v2/cmd/$1" ;;
    podinfo) echo github.com/stefanprodan/podinfo/cmd/podinfo ;;
    *) echo "k8s.io/kubernetes/cmd/$1" ;;
  esac
}

# use_module PROGRAM: goes to a Go module that requires it.
use_module() {
  case "$1" in
    containerd* | ctr) make_module containerd "github.com/containerd/containerd/v2@v$containerd_version" ;;
    podinfo) make_module podinfo "github.com/stefanprodan/podinfo@v$podinfo_version" ;;
    *) make_kubernetes_module ;;
  esac
}

# make_module NAME MODULE@VERSION
make_module() {
  mkdir -p "$cache/$1-module"
  cd "$cache/$1-module"
  rm -f go.mod go.sum
  go mod init "esc-agent.io/$1" 2>/dev/null
  go mod download "$2" || skip "the module $2 cannot be had"
  go mod edit -require="$2"
}

# A module that requires Kubernetes. Its own go.mod replaces its parts (k8s.io/api and so on) by
# folders of its repository, which counts for nobody else: they are published as v0.MINOR.PATCH.
make_kubernetes_module() {
  local source
  make_module kubernetes "k8s.io/kubernetes@v$version"
  source=$(go env GOMODCACHE)/cache/download/k8s.io/kubernetes/@v/v$version.mod
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
  for program in "${programs[@]}"; do
    [ -x "$cache/$program" ] && continue
    echo "kube-assets: building $program"
    use_module "$program"
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
echo "kube-assets: Kubernetes $version is in $folder: ${programs[*]}"
