"""What must be true of the chart's objects beside their schemas: they fit together, containers have no
more privilege than said, and alerts and dashboard ask for metrics that exist."""

import json
import os
import re

# The only container that may have privilege.
PRIVILEGED = "esc-keeper"
# What Prometheus makes itself.
BUILT_IN_METRICS = {"up"}
POD_KINDS = ("DaemonSet", "Deployment", "StatefulSet")


def name_of(item):
    namespace = item["metadata"].get("namespace")
    prefix = f"{namespace}/" if namespace else ""
    return f"{item['kind']} {prefix}{item['metadata']['name']}"


def pod_of(item):
    """The spec of the pods of an object, or None."""
    if item["kind"] == "Pod":
        return item["spec"]
    return item["spec"]["template"]["spec"] if item["kind"] in POD_KINDS else None


def check_container(where, pod, container, found):
    security = container.get("securityContext", {})
    resources = container.get("resources", {})
    if security.get("readOnlyRootFilesystem") is not True:
        found.append(f"{where}: its root file system can be written")
    if container["name"] != PRIVILEGED:
        context = {**pod.get("securityContext", {}), **security}
        wanted = {"allowPrivilegeEscalation": False, "runAsNonRoot": True,
                  "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
        for key, value in wanted.items():
            if context.get(key) != value:
                found.append(f"{where}: {key} is not {value}")
        if context.get("privileged"):
            found.append(f"{where}: is privileged")
        for mount in container.get("volumeMounts", []):
            if mount.get("mountPropagation", "None") == "Bidirectional":
                found.append(f"{where}: mounts {mount['mountPath']} with propagation to the node")
    if "cpu" in resources.get("limits", {}):
        found.append(f"{where}: has a CPU limit, which makes pods' reads wait")
    names = {volume["name"] for volume in pod.get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in names:
            found.append(f"{where}: mounts {mount['name']}, which is no volume of the pod")


def check_pods(item, found):
    pod = pod_of(item)
    if pod is None:
        return
    for container in pod["containers"]:
        check_container(f"{name_of(item)}: {container['name']}", pod, container, found)
    for volume in pod.get("volumes", []):
        if not any(mount["name"] == volume["name"] for container in pod["containers"]
                   for mount in container.get("volumeMounts", [])):
            found.append(f"{name_of(item)}: volume {volume['name']} is mounted nowhere")
    if item["kind"] != "Pod":
        labels = item["spec"]["template"]["metadata"]["labels"]
        check_selected(item, item["spec"]["selector"]["matchLabels"], [labels], found)


def check_selected(item, selector, label_sets, found):
    if not any(selector.items() <= labels.items() for labels in label_sets):
        found.append(f"{name_of(item)}: selects no pods of the chart")


def check_references(items, found):
    """What objects name is there: accounts, roles, ConfigMaps, pods."""
    there = {(item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])
             for item in items}
    pods = [item["spec"]["template"]["metadata"]["labels"] for item in items
            if item["kind"] in POD_KINDS]

    def want(item, kind, namespace, name):
        if (kind, namespace, name) not in there and not name.startswith("system:"):
            found.append(f"{name_of(item)}: there is no {kind} {name}")

    for item in items:
        namespace = item["metadata"].get("namespace")
        if item["kind"].endswith("RoleBinding"):
            role = item["roleRef"]
            want(item, role["kind"], None if role["kind"] == "ClusterRole" else namespace,
                 role["name"])
            for subject in item["subjects"]:
                want(item, subject["kind"], subject["namespace"], subject["name"])
        pod = pod_of(item)
        if pod is not None:
            if "serviceAccountName" in pod:
                want(item, "ServiceAccount", namespace, pod["serviceAccountName"])
            for volume in pod.get("volumes", []):
                if "configMap" in volume:
                    want(item, "ConfigMap", namespace, volume["configMap"]["name"])
        if item["kind"] == "Service":
            check_selected(item, item["spec"]["selector"], pods, found)
        if item["kind"] in ("NetworkPolicy", "PodMonitor"):
            key = "podSelector" if item["kind"] == "NetworkPolicy" else "selector"
            check_selected(item, item["spec"][key]["matchLabels"], pods, found)


def check_keeper_and_agent(items, found):
    """What the two must agree on, and how each is updated."""
    sets = {item["spec"]["template"]["spec"]["containers"][0]["name"]: item for item in items
            if item["kind"] == "DaemonSet"}
    if sets.keys() != {"esc-agent", "esc-keeper"}:
        found.append(f"the DaemonSets are {sorted(sets)}, not esc-agent and esc-keeper")
        return
    agent, keeper = sets["esc-agent"]["spec"], sets["esc-keeper"]["spec"]
    if keeper["updateStrategy"] != {"type": "OnDelete"}:
        found.append("the keeper must be updated OnDelete")
    if agent["updateStrategy"]["rollingUpdate"].get("maxSurge", 0) != 0:
        found.append("the agent must not have maxSurge")
    pod = keeper["template"]["spec"]
    if pod.get("automountServiceAccountToken") is not False:
        found.append("the keeper must have no token")
    arguments = dict(argument.lstrip("-").split("=", 1) for argument in pod["containers"][0]["args"])
    env = {entry["name"]: entry.get("value")
           for entry in agent["template"]["spec"]["containers"][0]["env"]}
    same = [("socket", "ESC_AGENT_KEEPER_SOCKET", ""), ("kubelet-dir", "ESC_AGENT_KUBELET_DIR", ""),
            ("csi-socket", "ESC_AGENT_CSI_ENDPOINT", "unix://"),
            ("registration-socket", "ESC_AGENT_REGISTRATION_SOCKET", "")]
    for flag, variable, prefix in same:
        if prefix + arguments[flag] != env[variable]:
            found.append(f"the keeper's --{flag} and the agent's {variable} differ")
    user = str(agent["template"]["spec"]["securityContext"]["runAsUser"])
    if arguments["agent-uid"] != user:
        found.append(f"the keeper's --agent-uid is not the agent's user {user}")


def check_objects(items):
    found = []
    for item in items:
        check_pods(item, found)
    check_references(items, found)
    check_keeper_and_agent(items, found)
    return found


def metrics_of_the_agent(root):
    """The names in the source of /metrics; a histogram stands for its three series."""
    names = set()
    for folder in ("agent/status", "agent/controller"):
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if name.endswith(".cc"):
                with open(os.path.join(root, folder, name), encoding="utf-8") as file:
                    names |= set(re.findall(r'"((?:esc_agent|externalsecret)_\w+)"', file.read()))
    return names | {name + suffix for name in names for suffix in ("_bucket", "_sum", "_count")}


def metrics_in(expression):
    """The metrics that a PromQL expression asks for: names before {, [ or a comparison."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    return set(re.findall(r"\b([a-z_][a-z0-9_]*)\s*[{\[]", bare))


def check_metrics(where, expression, known, found):
    asked = metrics_in(expression)
    if not asked:
        found.append(f"{where}: asks for no metric: {expression}")
    for name in sorted(asked - known - BUILT_IN_METRICS):
        found.append(f"{where}: the agent has no metric {name}")


def check_monitoring(items, root):
    """The alerts' and the dashboard's metrics, and that each alert has its section."""
    found = []
    known = metrics_of_the_agent(root)
    with open(os.path.join(root, "docs", "operations.md"), encoding="utf-8") as file:
        sections = {line.lstrip("#").strip() for line in file if line.startswith("#")}
    for item in items:
        if item["kind"] == "PrometheusRule":
            for rule in item["spec"]["groups"][0]["rules"]:
                check_metrics(f"alert {rule['alert']}", rule["expr"], known, found)
                if rule["alert"] not in sections:
                    found.append(f"docs/operations.md: has no section {rule['alert']}")
                if not rule["annotations"]["runbook_url"].endswith("#" + rule["alert"].lower()):
                    found.append(f"alert {rule['alert']}: its runbook_url has another anchor")
        if item["kind"] == "ConfigMap" and "esc-agent.json" in item.get("data", {}):
            for panel in json.loads(item["data"]["esc-agent.json"])["panels"]:
                for target in panel.get("targets", []):
                    check_metrics(f"dashboard: {panel['title']}", target["expr"], known, found)
    return found
