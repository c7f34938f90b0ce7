#!/usr/bin/env bash
# A real Kubernetes with one node on this machine, for trying things out and for ./dev e2e: etcd,
# kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, kubelet, containerd 2 and runc.
# Everything runs in mount, process, network, host-name and IPC namespaces of its own; of the machine it
# uses FOLDER, a control group and one port of 127.0.0.1. Needs root, a Linux machine or virtual machine
# (not a container), and the programs of `kube_assets.sh FOLDER cluster`.
#
# usage: kube_cluster.sh up FOLDER          prints the path of the KUBECONFIG on the last line
#        kube_cluster.sh load FOLDER TAR... images (OCI or docker archives), since no registry is asked
#        kube_cluster.sh exec FOLDER COMMAND...  inside, as on the node
#        kube_cluster.sh down FOLDER        ends and removes everything
# KUBEBUILDER_ASSETS: the folder of the programs, default /opt/kubebuilder/bin.
# Exit code 77: it cannot run here; the reason is on the last line.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
assets=${KUBEBUILDER_ASSETS:-/opt/kubebuilder/bin}
command=${1:-}
folder=${2:-}
shift 2 2>/dev/null || true
# Mount points that the node's programs want at fixed places.
mount_points=(/var/lib/kubelet /var/lib/cni)

skip() {
  echo "kube_cluster: SKIPPED: $*"
  exit 77
}

fail() {
  echo "kube_cluster: $*" >&2
  exit 1
}

cni_plugins() {
  local folder
  for folder in "${CNI_PLUGINS:-}" /usr/lib/cni /opt/cni/bin; do
    if [ -x "$folder/bridge" ] && [ -x "$folder/host-local" ]; then
      echo "$folder"
      return
    fi
  done
  return 1
}

check_machine() {
  local program
  [ "$(id -u)" -eq 0 ] || skip "this needs root"
  for program in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubectl \
    containerd containerd-shim-runc-v2 ctr; do
    [ -x "$assets/$program" ] || skip "$assets/$program is missing: kube_assets.sh $assets cluster"
  done
  for program in runc nft conntrack ip openssl nsenter unshare python3 cc sysctl; do
    command -v "$program" >/dev/null || skip "$program is not installed"
  done
  cni_plugins >/dev/null || skip "containernetworking-plugins is not installed"
  grep -qw overlay /proc/filesystems || skip "this kernel has no overlay file system"
}

# The folder of our control group in each hierarchy of the machine.
control_groups() {
  awk '$3 == "cgroup" || $3 == "cgroup2" {print $2}' /proc/self/mounts | while read -r hierarchy; do
    echo "$hierarchy/$(cat "$folder/cgroup")"
  done
}

make_control_groups() {
  local group
  echo "esc-kube-$$" >"$folder/cgroup"
  control_groups | while read -r group; do
    mkdir -p "$group"
    # With version 1 nothing can run in a set of processors that is empty.
    if [ -e "$group/cpuset.cpus" ] && [ ! -e "$group/cgroup.controllers" ]; then
      cat "$(dirname "$group")/cpuset.cpus" >"$group/cpuset.cpus"
      cat "$(dirname "$group")/cpuset.mems" >"$group/cpuset.mems"
    fi
  done
}

remove_control_groups() {
  local group
  control_groups | while read -r group; do
    [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} +
  done
}

make_mount_points() {
  local point
  for point in "${mount_points[@]}"; do
    [ -d "$point" ] || { mkdir "$point" && echo "$point" >>"$folder/made"; }
  done
}

# The container that holds a pod's namespaces.
make_pause_image() {
  cc -static -Os -s -o "$folder/pause" -x c - <<'C'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void End(int signal) { _exit(signal ? 0 : 1); }
static void Reap(int signal) {
  while (signal && waitpid(-1, 0, WNOHANG) > 0) {
  }
}

int main(void) {
  signal(SIGINT, End);
  signal(SIGTERM, End);
  signal(SIGCHLD, Reap);
  for (;;) pause();
}
C
  "$tools/oci_image.py" --name esc-agent.io/pause:1 --output "$folder/pause.tar" \
    --user 65535:65535 --file "$folder/pause=/pause" /pause
}

kubectl() {
  "$assets/kubectl" --kubeconfig "$folder/kubeconfig" "$@"
}

# The process 1 of the cluster's namespaces.
inside() {
  local outside
  outside=$(cat "$folder/pid" 2>/dev/null) || return 1
  pgrep --parent "$outside" 2>/dev/null
}

case_exec() {
  local process
  process=$(inside) || fail "there is no cluster in $folder"
  exec nsenter --target "$process" --mount --net --pid --uts --ipc env PATH="$assets:$PATH" \
    KUBECONFIG="$folder/config/admin.kubeconfig" "$@"
}

case_load() {
  local archive
  for archive in "$@"; do
    (case_exec ctr --namespace k8s.io images import "$(realpath "$archive")")
  done
}

wait_until_started() {
  local deadline=$((SECONDS + 300))
  until [ -e "$folder/started" ]; do
    kill -0 "$(cat "$folder/pid")" 2>/dev/null || fail "$(tail -n 5 "$folder/node.log")"
    [ "$SECONDS" -lt "$deadline" ] || fail "not up in time: $(tail -n 5 "$folder/node.log")"
    sleep 0.2
  done
}

start_forward() {
  setsid python3 "$tools/netns_forward.py" "$(inside)" 10.213.0.1:6443 \
    >"$folder/port" 2>"$folder/forward.log" </dev/null &
  local process=$!
  until [ -s "$folder/port" ]; do
    kill -0 "$process" 2>/dev/null || fail "netns_forward.py: $(cat "$folder/forward.log")"
    sleep 0.1
  done
  sed "s|https://10.213.0.1:6443|https://127.0.0.1:$(cat "$folder/port")|" \
    "$folder/config/admin.kubeconfig" >"$folder/kubeconfig"
  chmod 600 "$folder/kubeconfig"
}

case_up() {
  check_machine
  if inside >/dev/null; then fail "there is a cluster in $folder already"; fi
  mkdir -p "$folder"
  folder=$(realpath "$folder")
  rm -rf "${folder:?}"/{started,run,kubelet,cni,log,etcd,containerd,made,port}
  make_pause_image
  make_control_groups
  make_mount_points
  setsid unshare --mount --pid --fork --kill-child --mount-proc --net --uts --ipc \
    "$tools/kube_cluster_node.sh" "$folder" "$assets" "$(cat "$folder/cgroup")" "$(cni_plugins)" \
    >"$folder/node.log" 2>&1 </dev/null &
  echo "$!" >"$folder/pid"
  trap down_after_failure EXIT
  wait_until_started
  start_forward
  case_load "$folder/pause.tar"
  local deadline=$((SECONDS + 120))
  until kubectl wait --for=condition=Ready node --all --timeout=10s >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] ||
      fail "the node is not ready: $(kubectl describe node | grep -m 1 'NotReady'; \
        tail -n 5 "$folder/logs/kubelet.log")"
    sleep 1
  done
  kubectl get nodes -o wide
  trap - EXIT
  echo "$folder/kubeconfig"
}

# shellcheck disable=SC2317 # called by the trap
down_after_failure() {
  local code=$?
  trap - EXIT
  (case_down) || true
  exit "$code"
}

case_down() {
  local outside point process deadline
  outside=$(cat "$folder/pid" 2>/dev/null) || fail "there is no cluster in $folder"
  # Process 1 of the namespace takes every process in it along, and the mounts go with the last.
  if process=$(inside); then
    kill -KILL "$process"
    timeout 30 tail --pid="$outside" -f /dev/null || fail "process $outside does not end"
  fi
  deadline=$((SECONDS + 30))
  until remove_control_groups 2>/dev/null; do
    [ "$SECONDS" -lt "$deadline" ] || fail "control groups are left: $(control_groups | xargs)"
    sleep 0.2
  done
  if [ -e "$folder/made" ]; then
    while read -r point; do rmdir "$point"; done <"$folder/made"
  fi
  rm -rf "${folder:?}"/{started,run,kubelet,cni,etcd,containerd,keys,config,kubeconfig,pid,made,port,cgroup}
  rm -rf "${folder:?}"/{pause,pause.tar,log,volume-plugins}
}

[ -n "$folder" ] || { sed -n '/^# usage/,/^set/p' "$0" >&2 && exit 2; }
case "$command" in
  up | down | exec | load) "case_$command" "$@" ;;
  *) fail "unknown command '$command'" ;;
esac
