#!/usr/bin/env bash
# ./dev bench: every benchmark, a table each. Timings inform; they never decide a test.
# usage: run.sh BIN_FOLDER
set -euo pipefail
bin=$1

printf '\n## The agent\n\n'
"$bin/agent_bench" "$bin"
printf '\n## Looking for changes\n\n'
"$bin/change_bench" "$bin"
"$bin/freshness_bench"
printf '\n## The mirror\n\n'
"$bin/mirror_bench"
printf '\n## The evaluator\n\n'
"$bin/eval_bench"
printf '\n## Reading a 4 KiB value: open, read, close; the same on tmpfs in the same run\n\n'
"$bin/fuse_read_bench"
