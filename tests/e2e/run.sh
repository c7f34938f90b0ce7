#!/usr/bin/env bash
# End-to-end: installs the chart into the cluster of the current kubeconfig (kind, k3s, any) and shows,
# step by step, that it does what it says. Each step prints what it saw; the first that does not see it
# fails the run. Needs kubectl, helm and the image, which the nodes must have or be able to pull.
#
# usage: run.sh [--image IMAGE] [--podinfo-image IMAGE] [--chart DIR] [--previous-chart CHART] [--keep] [STEP...]
#   --image           esc-agent's image, default esc-agent:<appVersion of the chart>
#   --podinfo-image   podinfo with a shell; default ghcr.io/stefanprodan/podinfo:6.7.0. Given, podinfo is a
#                     plain Deployment; else its Helm chart, as in the walkthrough, if it can be had
#   --chart           default ./chart
#   --previous-chart  the chart to upgrade from (a folder, an archive, or oci://...); default: the same
#                     chart with other values
#   --keep            leave everything in place after a failure
#   STEP              only these (names of files in tests/e2e/steps, without .sh); all by default
set -euo pipefail

usage() {
  sed -n '/^# usage/,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//' >&2
  exit 2
}

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CHART=$ROOT/chart IMAGE='' PODINFO_IMAGE='' PREVIOUS_CHART='' keep='' steps=()
while [ $# -gt 0 ]; do
  case "$1" in
    --image) IMAGE=${2:?} && shift 2 ;;
    --podinfo-image) PODINFO_IMAGE=${2:?} && shift 2 ;;
    --chart) CHART=${2:?} && shift 2 ;;
    --previous-chart) PREVIOUS_CHART=${2:?} && shift 2 ;;
    --keep) keep=yes && shift ;;
    -*) usage ;;
    *) steps+=("$1") && shift ;;
  esac
done
for program in kubectl helm; do
  command -v "$program" >/dev/null || { echo "e2e: $program is not installed" >&2 && exit 1; }
done
if [ -z "$IMAGE" ]; then
  IMAGE=esc-agent:$(sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$CHART/Chart.yaml")
fi
PODINFO_CHART=''
if [ -z "$PODINFO_IMAGE" ]; then
  PODINFO_IMAGE=ghcr.io/stefanprodan/podinfo:6.7.0
  PODINFO_CHART=https://stefanprodan.github.io/podinfo
fi
RELEASE=esc-agent NAMESPACE=esc-agent
WORK=$(mktemp -d)
export ROOT CHART IMAGE PODINFO_IMAGE PODINFO_CHART PREVIOUS_CHART RELEASE NAMESPACE WORK
trap 'rm -rf "$WORK"' EXIT

if [ ${#steps[@]} -eq 0 ]; then
  for file in "$ROOT"/tests/e2e/steps/*.sh; do steps+=("$(basename "$file" .sh)"); done
fi
echo "cluster: $(kubectl config current-context), Kubernetes $(kubectl version -o yaml |
  sed -n '/^serverVersion/,$s/^ *gitVersion: //p')"
echo "image: $IMAGE; podinfo: $PODINFO_IMAGE"
start=$SECONDS
for step in "${steps[@]}"; do
  step_start=$SECONDS
  bash -euo pipefail -c 'source "$ROOT/tests/e2e/lib.sh"; source "$ROOT/tests/e2e/steps/$1.sh"' \
    e2e "$step" || {
    echo "e2e: step $step failed" >&2
    "$ROOT/tests/e2e/diagnose.sh" >&2 || true
    [ -n "$keep" ] || "$ROOT/tests/e2e/remove.sh" >/dev/null 2>&1 || true
    exit 1
  }
  echo "   -- $step: $((SECONDS - step_start)) s"
done
echo "e2e: passed, ${#steps[@]} steps in $((SECONDS - start)) s"
