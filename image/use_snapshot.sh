#!/bin/sh
# Makes apt take its packages from snapshot.debian.org as they were at a time, 20251101T000000Z, so
# that an image can be built again from the same ones. With an empty time nothing is changed.
#
# usage: use_snapshot.sh [TIME]
set -eu

time=${1:-}
[ -n "$time" ] || exit 0
case "$time" in
  [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z) ;;
  *)
    echo "use_snapshot.sh: \"$time\" is no time of snapshot.debian.org, such as 20251101T000000Z" >&2
    exit 2
    ;;
esac

archive=http://snapshot.debian.org/archive
cat >/etc/apt/sources.list.d/debian.sources <<SOURCES
Types: deb
URIs: $archive/debian/$time
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $archive/debian-security/$time
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
rm -f /etc/apt/sources.list
# The indexes of the past have expired.
echo 'Acquire::Check-Valid-Until "false";' >/etc/apt/apt.conf.d/90snapshot
