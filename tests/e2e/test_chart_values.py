"""Every value of the chart: what it changes, and where it is written down."""

import json
import re

import pytest

from chart import ANNOTATIONS, ARGS, CONTAINER, POD, TLS, WITHOUT_EFFECT, at, defaults, schema, schema_leaves
from release import CHART, HELMS

NO_SECRET = {name: value for name, value in TLS.items() if not name.endswith("create")}
LIST = [{"name": "mine"}]

# Value: what it is set to, where in the manifests that shows, as what; and what else has to be set for that.
EFFECTS = {
    "image.repository": ("registry.test/agentk", (*CONTAINER, "image"), "registry.test/agentk:v0.1.0"),
    "image.tag": ("v9.8.7", (*CONTAINER, "image"), "localhost/towline/agentk:v9.8.7"),
    "image.pullPolicy": ("Always", (*CONTAINER, "imagePullPolicy"), "Always"),
    "imagePullSecrets": (LIST, (*POD, "imagePullSecrets"), LIST),
    "nameOverride": ("other", ("Deployment", "metadata", "name"), "x-other-v2"),
    "fullnameOverride": ("other", ("Deployment", "metadata", "name"), "other-v2"),
    "replicas": (5, ("Deployment", "spec", "replicas"), 5),
    "maxSurge": ("50%", ("Deployment", "spec", "strategy", "rollingUpdate", "maxSurge"), "50%"),
    "maxUnavailable": (1, ("Deployment", "spec", "strategy", "rollingUpdate", "maxUnavailable"), 1),
    "revisionHistoryLimit": (0, ("Deployment", "spec", "revisionHistoryLimit"), 0),
    "rbac.create": (False, ("ClusterRoleBinding",), None),
    "rbac.useExistingRole": ("view", ("ClusterRoleBinding", "roleRef", "name"), "view"),
    "serviceAccount.create": (False, ("ServiceAccount",), None, {"serviceAccount.name": "mine"}),
    "serviceAccount.name": ("mine", (*POD, "serviceAccountName"), "mine"),
    "serviceAccount.annotations": ({"a": "b"}, ("ServiceAccount", "metadata", "annotations"), {"a": "b"}),
    "podSecurityContext": ({"runAsUser": 5}, (*POD, "securityContext", "runAsUser"), 5),
    "securityContext": ({"privileged": False}, (*CONTAINER, "securityContext", "privileged"), False),
    "podAnnotations": ({"a": "b"}, (*ANNOTATIONS, "a"), "b"),
    "podLabels": ({"a": "b"}, ("Deployment", "spec", "template", "metadata", "labels", "a"), "b"),
    "additionalLabels": ({"a": "b"}, ("Secret", "metadata", "labels", "a"), "b"),
    "serviceMonitor.enabled": (True, ("ServiceMonitor", "spec", "endpoints", 0, "scheme"), "http"),
    "config.kasAddress": ("grpcs://other.test", (*ARGS, 1), "--kas-address=grpcs://other.test"),
    "config.kasHeaders": (["A: b"], (*ARGS, 2), "--kas-header=A: b"),
    "config.token": ("other\n", ("Secret", "data", "token"), "b3RoZXI="),
    "config.secretName": ("mine", (*POD, "volumes", 1, "secret", "secretName"), "mine"),
    "config.kasCaCert": ("a CA", ("ConfigMap", "data", "ca.crt"), "a CA"),
    "config.observability.enabled": (False, (*CONTAINER, "readinessProbe"), None),
    "config.observability.tls.enabled": (True, (*CONTAINER, "livenessProbe", "httpGet", "scheme"), "HTTPS"),
    "config.observability.tls.cert": ("other", ("Secret 2", "data", "tls.crt"), "b3RoZXI=", TLS),
    "config.observability.tls.key": ("other", ("Secret 2", "data", "tls.key"), "b3RoZXI=", TLS),
    "config.observability.tls.secret.create": (True, ("Secret 2", "metadata", "name"), "gitlab-agent-observability",
                                               NO_SECRET),
    "config.observability.tls.secret.name": ("mine", (*POD, "volumes", 2, "secret", "secretName"), "mine", TLS),
    "podDisruptionBudget.enabled": (False, ("PodDisruptionBudget",), None),
    "podDisruptionBudget.maxUnavailable": ("50%", ("PodDisruptionBudget", "spec", "maxUnavailable"), "50%"),
    "networkPolicy.enabled": (True, ("NetworkPolicy", "spec", "ingress", 0, "ports", 0, "port"), 8080),
    "networkPolicy.egress": ([{"ports": [{"port": 443}]}], ("NetworkPolicy", "spec", "egress", 0, "ports", 0, "port"),
                             443, {"networkPolicy.enabled": True}),
    "topologySpreadConstraints": ([{"topologyKey": "zone"}], (*POD, "topologySpreadConstraints", 0, "topologyKey"),
                                  "zone"),
    "resources": ({"limits": {"memory": "64Mi"}}, (*CONTAINER, "resources", "limits", "memory"), "64Mi"),
    "nodeSelector": ({"a": "b"}, (*POD, "nodeSelector"), {"a": "b"}),
    "tolerations": ([{"key": "a"}], (*POD, "tolerations"), [{"key": "a"}]),
    "affinity": ({"nodeAffinity": {}}, (*POD, "affinity"), {"nodeAffinity": {}}),
    "priorityClassName": ("high", (*POD, "priorityClassName"), "high"),
    "runtimeClassName": ("sandbox", (*POD, "runtimeClassName"), "sandbox"),
    "hostAliases": ([{"ip": "192.0.2.1"}], (*POD, "hostAliases"), [{"ip": "192.0.2.1"}]),
    "terminationMessagePolicy": ("File", (*CONTAINER, "terminationMessagePolicy"), "File"),
    "extraEnv": ([{"name": "A", "value": "b"}], (*CONTAINER, "env", -1), {"name": "A", "value": "b"}),
    "extraArgs": (["--log-level=debug"], (*ARGS, -1), "--log-level=debug"),
    "extraVolumes": (LIST, (*POD, "volumes", -1), LIST[0]),
    "extraVolumeMounts": (LIST, (*CONTAINER, "volumeMounts", -1), LIST[0]),
    "initContainers": (LIST, (*POD, "initContainers"), LIST),
    "extraManifests": ([{"kind": "Extra", "of": "{{ .Release.Name }}"}], ("Extra", "of"), "x"),
}

REFUSED = {"config.receptive.enabled"}
NOT_IN_THE_FILE = {"global", "enabled", "ingress-nginx", "USER-SUPPLIED VALUES", "COMPUTED VALUES"}


def test_every_value_is_tested_and_in_the_schema():
    assert set(EFFECTS) | set(WITHOUT_EFFECT) | REFUSED == set(defaults())
    assert set(schema_leaves(schema())) - NOT_IN_THE_FILE == set(defaults())


def test_the_readme_names_every_value_with_its_default():
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]*)` \|", (CHART / "README.md").read_text(), re.M)
    assert {name: json.loads(default) for name, default in rows} == defaults()
    assert len(rows) == len(dict(rows))


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_every_value_changes_what_it_should(chart):
    wrong, usual = [], {}
    for name, (value, path, expected, *also) in EFFECTS.items():
        others = dict(*also)
        key = json.dumps(others)
        usual[key] = usual.get(key) or chart.render(others)
        before, after = at(usual[key], path), at(chart.render({**others, name: value}), path)
        if before == expected or after != expected:
            wrong.append(f"{name}: {path} changes from {before!r} to {after!r}, not to {expected!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_values_of_receptive_agents_and_of_the_scanner_are_accepted_and_change_nothing(chart):
    assert chart.render(WITHOUT_EFFECT) == chart.render({})
    assert chart.render({"ingress-nginx": {"enabled": False}, "global": {"a": 1}, "enabled": True}) == chart.render({})
    notes = chart.command(WITHOUT_EFFECT, "--dry-run=client", command="install").stdout
    for name in ("operational_container_scanning", "config.api:", "config.privateApi:", "ingress:"):
        assert name in notes.split("without effect:")[1]
    assert "without effect" not in chart.command({}, "--dry-run=client", command="install").stdout
