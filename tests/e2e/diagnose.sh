#!/usr/bin/env bash
# What a failed run looks like from outside: pods, events, logs.
set -uo pipefail
release_namespace=${NAMESPACE:?}
kubectl get pods -A -o wide
for namespace in "$release_namespace" esc-agent-e2e podinfo; do
  echo "-- events of $namespace"
  kubectl -n "$namespace" get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 15
done
for component in agent keeper; do
  echo "-- log: $component"
  kubectl -n "$release_namespace" logs --tail=30 --prefix \
    -l "app.kubernetes.io/instance=$RELEASE,app.kubernetes.io/component=$component"
done
