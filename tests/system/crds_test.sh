#!/usr/bin/env bash
# The CRDs and the rights of manifests/ on a real kube-apiserver: what is accepted, what is refused
# and with which words, what is defaulted and kept, both versions, columns, and what the agent's
# account may do.
#
# usage: KUBEBUILDER_ASSETS=FOLDER crds_test.sh; FOLDER has kube-apiserver, etcd and kubectl
# (./dev kube-assets). Exit code 77: skipped, with the reason on the last line.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

for program in kube-apiserver etcd kubectl; do
  if [ ! -x "${KUBEBUILDER_ASSETS:-/nonexistent}/$program" ]; then
    echo "crds_test: SKIPPED: KUBEBUILDER_ASSETS names no folder with $program (./dev kube-assets)"
    exit 77
  fi
done

work=$(mktemp -d /tmp/esc-crds.XXXXXX)
checks=0
failures=0
server=

finish() {
  local code=$?
  trap - EXIT
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT

kube() {
  "$KUBEBUILDER_ASSETS/kubectl" --kubeconfig "$work/server/kubeconfig" \
    --cache-dir "$work/cache" "$@"
}

# failed WHAT DETAIL
failed() {
  failures=$((failures + 1))
  printf 'crds_test: FAILED: %s\n%.1000s\n' "$1" "$2" >&2
}

# expect WHAT WANT GOT
expect() {
  checks=$((checks + 1))
  [ "$2" = "$3" ] || failed "$1" "  want: $2"$'\n'"  got:  $3"
}

# expect_field TYPE NAME JSONPATH WANT: of an object in namespace test.
expect_field() {
  expect "$1 $2 $3" "$4" "$(kube get "$1" "$2" -n test -o jsonpath="$3" 2>&1)"
}

accepted() {
  local output
  checks=$((checks + 1))
  output=$(kube create --validate=strict -f "$1" 2>&1) || failed "$1 is refused" "$output"
}

# refused FILE [VERSION]: as it is, or in another version; the words are in its first line.
refused() {
  local file=$1 version=${2:-} words output
  checks=$((checks + 1))
  words=$(sed -n '1s/^# expect: //p' "$file")
  [ -n "$words" ] || failed "$file" "  its first line is not # expect: WORDS"
  if output=$(sed "s|^apiVersion: .*/v1\$|apiVersion: external-secrets.io/${version:-v1}|" "$file" |
    kube create --dry-run=server --validate=strict -f - 2>&1); then
    failed "$file ${version:-} is accepted" ""
  elif ! grep -qF -- "$words" <<<"$output"; then
    failed "$file ${version:-} is refused for another reason" "$output"
  fi
}

check_objects() {
  local file version
  for file in "$root"/tests/data/crds/valid/*.yaml "$root"/manifests/examples/walkthrough/*.yaml \
    "$root"/manifests/examples/{push_secret,restart_on_change}.yaml; do
    accepted "$file"
  done
  for file in "$root"/tests/data/crds/invalid/*.yaml; do
    refused "$file"
    version=$(sed -n '2s/^# also: //p' "$file")
    [ -z "$version" ] || refused "$file" "$version"
  done
}

# large_list COUNT: an ExternalSecret with so many keys of the greatest length.
large_list() {
  awk -v count="$1" 'BEGIN {
    print "apiVersion: external-secrets.io/v1\nkind: ExternalSecret"
    print "metadata: {name: large-" count ", namespace: test}\nspec:\n  data:"
    for (i = 1; i <= count; i++)
      printf "    - {secretKey: \"%0253d\", remoteRef: {key: app.k%d}}\n", i, i
  }'
}

# The rules must not cost more than the API server grants, whatever the list.
check_limits() {
  local count output
  for count in 100 101 2000; do
    large_list "$count" >"$work/large.yaml"
    accepted "$work/large.yaml"
  done
  large_list 100 | sed 's|0100",|0099",|; s|large-100|duplicate|' >"$work/large.yaml"
  output=$(kube create -f "$work/large.yaml" 2>&1 || true)
  expect "the same key twice in a large list" 1 "$(grep -c 'duplicate secretKey found: 0' <<<"$output")"
  large_list 2001 >"$work/large.yaml"
  output=$(kube create -f "$work/large.yaml" 2>&1 || true)
  expect "a list over the limit" 1 "$(grep -c 'must have at most 2000 items' <<<"$output")"
}

check_defaults() {
  local es=externalsecrets.v1.external-secrets.io
  expect_field $es minimal-v1 '{.spec.refreshInterval} {.spec.target}' \
    '1h0m0s {"creationPolicy":"Owner","deletionPolicy":"Retain"}'
  expect_field $es minimal-v1 '{.spec.data[0].remoteRef}{.spec.dataFrom[0].find}' \
    '{"key":"app.password"}{"path":"app"}'
  # v1beta1 wrote its defaults into the object.
  expect_field $es minimal-v1beta1 '{.spec.data[0].remoteRef}' \
    '{"conversionStrategy":"Default","decodingStrategy":"None","key":"app.password","metadataPolicy":"None"}'
  expect_field $es minimal-v1beta1 '{.spec.dataFrom[0].find}' \
    '{"conversionStrategy":"Default","decodingStrategy":"None","path":"app"}'
  expect_field $es full-v1 '{.spec.target.template.templateFrom[1].target}
{.spec.target.template.templateFrom[0].configMap.items[1].templateAs}
{.spec.dataFrom[1].rewrite[1].merge}
{.spec.dataFrom[2].sourceRef.generatorRef.apiVersion}' 'Data
Values
{"conflictPolicy":"Error","into":"","priorityPolicy":"Strict","strategy":"Extract"}
generators.external-secrets.io/v1alpha1'
  expect_field clustersecretstores oidc \
    '{.spec.provider.pulumi.auth.oidcConfig.expirationSeconds}' 600
  expect_field pushsecrets minimal \
    '{.spec.refreshInterval} {.spec.updatePolicy} {.spec.deletionPolicy}' '1h0m0s Replace None'
  expect_field pushsecrets minimal '{.spec.secretStoreRefs[0].kind} {.spec.data[0].conversionStrategy}' \
    'SecretStore None'
}

check_kept() {
  expect_field secretstores vault '{.spec.provider}' \
    "$(tr -d '\n' <<'JSON'
{"vault":{"auth":{"kubernetes":{"mountPath":"kubernetes","role":"demo"}},
"path":"secret","server":"https://vault.example.com","version":"v2"}}
JSON
)"
  expect_field externalsecrets manifest '{.spec.target.manifest}' \
    '{"apiVersion":"v1","kind":"ConfigMap"}'
  expect_field pushsecrets full '{.spec.data[0].metadata}' '{"any":{"thing":[1,"two"]}}'
}

check_versions() {
  local kind version
  for kind in externalsecret secretstore clustersecretstore clusterexternalsecret; do
    for version in v1 v1beta1; do
      expect "all of $kind in $version" "external-secrets.io/$version" \
        "$(kube get "${kind}s.$version.external-secrets.io" -A \
          -o jsonpath='{range .items[*]}{.apiVersion}{"\n"}{end}' | sort -u)"
    done
  done
  expect "one list for short names and the category" \
    "$(kube get es,ss,css,ces,ps -A -o name | sort)" \
    "$(kube get external-secrets -A -o name | sort)"
}

check_columns() {
  local now
  now=$(date --utc +%Y-%m-%dT%H:%M:%SZ)
  kube patch es full-v1 -n test --subresource status --type merge -p '{"status":{"refreshTime":"'"$now"'",
    "conditions":[{"type":"Ready","status":"True","reason":"SecretSynced","lastTransitionTime":"'"$now"'"}]}}' \
    >/dev/null
  expect "columns of ExternalSecret" "NAME STORETYPE STORE REFRESH INTERVAL STATUS READY LAST SYNC
full-v1 ClusterSecretStore secret-store 1h30m SecretSynced True Ns" \
    "$(kube get es full-v1 -n test | tr -s ' ' | sed -E 's/ *$//; s/ [0-9ms]+$/ Ns/')"
  expect "the status does not move the generation" 1 \
    "$(kube get es full-v1 -n test -o jsonpath='{.metadata.generation}')"
  kube patch ss minimal -n test --subresource status --type merge -p '{"status":{
    "capabilities":"ReadOnly","conditions":[{"type":"Ready","status":"True","reason":"Valid"}]}}' \
    >/dev/null
  expect "columns of SecretStore" "NAME AGE STATUS CAPABILITIES READY
minimal N Valid ReadOnly True" \
    "$(kube get ss minimal -n test | tr -s ' ' | sed -E 's/^minimal [0-9ms]+/minimal N/')"
  expect "columns of ClusterSecretStore" "NAME AGE STATUS CAPABILITIES READY" \
    "$(kube get css | head -n 1 | tr -s ' ')"
  expect "columns of ClusterExternalSecret" "NAME STORE REFRESH INTERVAL READY
everywhere secret-store 1m" "$(kube get ces everywhere | tr -s ' ' | sed 's/ *$//')"
  expect "columns of PushSecret" "NAME AGE STATUS LAST SYNC" \
    "$(kube get ps -n test | head -n 1 | tr -s ' ')"
  expect "a selectable field" "externalsecret.external-secrets.io/full-v1" "$(kube get es -n test \
    -o name --field-selector spec.target.name=full,spec.secretStoreRef.kind=ClusterSecretStore)"
}

# may WANT VERB RESOURCE [FLAG...]: whether the agent's account may.
may() {
  local want=$1
  shift
  expect "esc-agent may $*" "$want" \
    "$(kube auth can-i "$@" --as system:serviceaccount:esc-agent:esc-agent 2>/dev/null || true)"
}

check_rights() {
  local verb
  for verb in get watch create update patch delete; do
    may yes $verb secrets -n test
    may yes $verb leases -n esc-agent
    may no $verb leases -n test
  done
  for verb in list deletecollection; do may no $verb secrets -A; done
  for verb in get list watch; do
    may yes $verb namespaces
    may yes $verb externalsecrets -A
    may yes $verb clustersecretstores
  done
  may no update namespaces
  may no delete namespaces
  may yes patch externalsecrets/status -n test
  may yes delete externalsecrets -n test
  may no delete secretstores -n test
  may no create pushsecrets -n test
  may yes create events -n test
  may yes get configmaps -n test
  may no list configmaps -n test
  may yes patch deployments.apps -n test
  may no create deployments.apps -n test
  may no create serviceaccounts/token -n test
  may no get pods -n test
  may no create pods/exec -n test
  may no get nodes
}

"$root/tests/tools/kube_apiserver.sh" "$work/server" >"$work/server.out" 2>&1 &
server=$!
deadline=$((SECONDS + 150))
until grep -qx ready "$work/server.out"; do
  if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$server" 2>/dev/null; then
    echo "crds_test: FAILED: kube-apiserver: $(cat "$work/server.out")" >&2
    exit 1
  fi
  sleep 0.1
done

kube apply --server-side --validate=strict -k "$root/manifests"
kube wait --for condition=Established --timeout 60s crd --all >/dev/null
kube create namespace test >/dev/null
check_objects
check_limits
check_defaults
check_kept
check_versions
check_columns
check_rights
if [ "$failures" -ne 0 ]; then
  echo "crds_test: $failures of $checks checks failed" >&2
  exit 1
fi
echo "crds_test: $checks checks passed on $(kube version -o json | sed -n '/serverVersion/,$s/.*"gitVersion": "\(.*\)".*/kube-apiserver \1/p')"
