#!/usr/bin/env bash
# Makes an image of podinfo, with busybox for a shell, for clusters without a registry: its name and
# folders are those of the real one.
#
# usage: kube_podinfo_image.sh OUT.tar
# KUBEBUILDER_ASSETS: the folder that has podinfo (kube_assets.sh FOLDER cluster).
set -euo pipefail

output=${1:?usage: kube_podinfo_image.sh OUT.tar}
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
assets=${KUBEBUILDER_ASSETS:-/opt/kubebuilder/bin}
busybox=$(command -v busybox) || { echo "busybox-static is not installed" >&2 && exit 1; }

links=()
for applet in $("$busybox" --list); do
  [ "$applet" = busybox ] || links+=(--link "busybox=/bin/$applet")
done
"$tools/oci_image.py" --name ghcr.io/stefanprodan/podinfo:6.7.0 --output "$output" \
  --user 100:101 --workdir /home/app --file "$busybox=/bin/busybox" \
  --file "$assets/podinfo=/home/app/podinfo" "${links[@]}" \
  ./podinfo
