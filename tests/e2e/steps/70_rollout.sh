# shellcheck shell=bash
say "a new agent, under readers"
start_readers
old=$(agents | sort | xargs)
kubectl -n "$NAMESPACE" rollout restart "daemonset/$RELEASE" >/dev/null
ready "$NAMESPACE" "daemonset/$RELEASE" 300
[ "$(agents | sort | xargs)" != "$old" ] || fail "the agents are the same as before: $old"
saw "every agent is a new one: $(agents | xargs)"
expect_no_failed_read "rollout of the agent"
