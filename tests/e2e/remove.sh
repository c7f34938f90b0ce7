#!/usr/bin/env bash
# Takes away what a run has left that did not come to its end.
set -uo pipefail
kubectl delete namespace esc-agent-e2e podinfo external-secrets --ignore-not-found --timeout=180s
helm uninstall "$RELEASE" -n "$NAMESPACE" --wait --timeout 3m
kubectl get crd -o name | grep '\.external-secrets\.io$' | xargs -r kubectl delete --timeout=120s
kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout=180s
kubectl get nodes -o name | xargs -n 1 kubectl uncordon
