#!/usr/bin/env bash
# Checks chart/ and manifests/ with the tools of chart_tools.sh.
#
# usage: lint_chart.sh [check | test | manifests]
#   check      what check_chart.py finds (default)
#   test       that it finds what is planted (check_chart_test.py)
#   manifests  writes manifests/ from the chart
# Exit code 77: skipped, as the tools cannot be had; the reason is on the last line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

case "${1:-check}" in
  check) program=check_chart.py ;;
  test) program=check_chart_test.py ;;
  manifests) program=make_manifests.py ;;
  *)
    sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
tools=$("$here/chart_tools.sh")
exec "$tools/bin/python" -B "$here/$program" "$tools/bin/helm" "$here/../.."
