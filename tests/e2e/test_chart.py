"""The chart as a whole: what it refuses and how it says so, names, and what goes together."""

import json
import re

import pytest

import release
from chart import ANNOTATIONS, ARGS, CONTAINER, NEEDED, POD, TLS, WITHOUT_EFFECT, at, defaults
from release import CHART, HELMS


# Of the original's values, those whose keys a file may list without anything below, and single ones likewise.
TABLES = ["config.observability", "config.receptive", "config.api", "config.privateApi", "service", "ingress",
          "config.operational_container_scanning", "serviceMonitor"]
NEVER_BLANK = {"image.repository", "serviceAccount.create", *NEEDED}


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_values_that_a_file_leaves_blank_are_off(chart):
    single = chart.render({name: None for name in defaults() if name not in NEVER_BLANK})
    tables = chart.render({name: None for name in TABLES})
    for objects in (single, tables, chart.render({"config.observability.tls": None})):
        assert objects["Deployment"]["metadata"]["name"] == "x-gitlab-agent-v2"
    assert "ClusterRoleBinding" not in single and "securityContext" not in at(single, CONTAINER)
    for objects in (single, tables):
        assert "readinessProbe" not in at(objects, CONTAINER)


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_lint_has_nothing_to_say(chart):
    for values in ({}, WITHOUT_EFFECT, TLS, {"networkPolicy.enabled": True}):
        result = chart.command(values, "--strict", command="lint")
        assert result.returncode == 0, result.stdout + result.stderr
    assert chart.helm.run("lint", CHART, "--strict", check=False).returncode == 0


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_what_is_wrong_is_refused_by_name(chart):
    for name, value, words in [
            ("replicas", "many", "integer"), ("maxSurge", "half", "^[0-9]+%?$"), ("image.tag", 17, "string"),
            ("image.repository", "", "length"), ("fullnameOverride", "Not_A_Name", "pattern"),
            ("config.kasAddress", "https://kas.test", "(grpc|grpcs|ws|wss)"), ("rbac.useExistingRole", {}, "string"),
            ("extraEnv", [{"value": "a"}], "name"), ("podLabels", {"a": True}, "string"),
            ("service.internalPort", 70000, "535"), ("image.pullPolicy", "Sometimes", "IfNotPresent"),
            ("rbac", None, "rbac"), ("typo", 1, "typo")]:
        text = chart.refusal({name: value})
        assert name in text and words.lower() in text.lower(), f"{name}: {text}"
    assert "tokn" in chart.refusal({"config.tokn": "glagent-secret"})
    assert "secret" not in chart.refusal({"config.tokn": "glagent-secret", "config.token": ["glagent-secret"]})


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_what_only_whole_files_can_get_wrong_is_refused_in_a_sentence(chart):
    for values, words in [
            ({"config.receptive.enabled": True}, "cannot be dialled by the server"),
            ({"config.token": ""}, "config.token (or config.secretName) is needed"),
            ({"config.kasAddress": ""}, "config.kasAddress is needed"),
            ({"serviceAccount.create": False}, "serviceAccount.name is needed"),
            ({"serviceMonitor.enabled": True, "config.observability.enabled": False}, "needs config.observability"),
            ({**TLS, "config.observability.tls.key": ""}, "config.observability.tls.key is needed"),
            ({"service.internalPort": 9000}, 'service.internalPort is 9000, but config.api.listenAddress is ":8082"'),
            ({"config.privateApi.listenAddress": ":9000"}, "service.privateApiPort is 8081")]:
        assert words in chart.refusal(values), values
    assert chart.render({"service.internalPort": 9000, "config.api.listenAddress": ":9000"})


def test_without_observability_nothing_is_scraped_or_let_in(chart):
    objects = chart.render({"config.observability.enabled": False, "networkPolicy.enabled": True})
    assert not [name for name in at(objects, ANNOTATIONS) if name.startswith("prometheus")]
    assert "--observability-listen-address=127.0.0.1:8080" in at(objects, ARGS)
    assert at(objects, ("NetworkPolicy", "spec", "ingress")) == []


def test_the_service_monitor_finds_its_service_and_reads_over_tls(chart):
    objects = chart.render({"serviceMonitor.enabled": True, **TLS})
    labels = objects["Service"]["metadata"]["labels"]
    assert at(objects, ("ServiceMonitor", "spec", "selector", "matchLabels")).items() <= labels.items()
    assert objects["Service"]["spec"]["selector"].items() <= at(objects, (*POD[:3], "metadata", "labels")).items()
    endpoint = at(objects, ("ServiceMonitor", "spec", "endpoints", 0))
    assert endpoint["port"] == at(objects, ("Service", "spec", "ports", 0, "name")) == "observability"
    assert endpoint["scheme"] == "https" and endpoint["tlsConfig"] == {"insecureSkipVerify": True}


@pytest.mark.parametrize("version, api, policy", [("1.20.2", "policy/v1beta1", None), ("1.25.0", "policy/v1", None),
                                                  ("1.30.0-eks-1", "policy/v1", "AlwaysAllow")])
def test_the_disruption_budget_is_of_the_clusters_time(chart, version, api, policy):
    budget = chart.render({}, "--kube-version", version)["PodDisruptionBudget"]
    assert budget["apiVersion"] == api and budget["spec"].get("unhealthyPodEvictionPolicy") == policy
    assert "PodDisruptionBudget" not in chart.render({"replicas": 1}, "--kube-version", version)


def test_files_of_secrets_are_readable_for_the_agents_user(chart):
    for values, mode in (({}, 0o440), ({"podSecurityContext": None}, 0o444)):
        volumes = at(chart.render({**values, **TLS}), (*POD, "volumes"))
        assert [each["secret"]["defaultMode"] for each in volumes if "secret" in each] == [mode, mode]


def test_secrets_that_change_start_new_pods(chart):
    def checksums(**values):
        found = at(chart.render({name.replace("_", "."): value for name, value in values.items()} | TLS), ANNOTATIONS)
        return {name: value for name, value in found.items() if name.startswith("checksum/")}

    usual = checksums()
    assert checksums() == usual and len(usual) == 3
    assert checksums(config_token="other")["checksum/token"] != usual["checksum/token"]
    assert checksums(config_kasCaCert="other")["checksum/ca"] != usual["checksum/ca"]
    assert checksums(config_observability_tls_secret_name="other")["checksum/observability"] != \
        usual["checksum/observability"]


LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


@pytest.mark.parametrize("name", ["a" * 53, "a" * 40 + "-gitlab-agent", "a-" * 24 + "b.c-d", "1" * 48 + ".a--b", "10"])
def test_names_are_valid_everywhere(chart, direct, place, name):
    values = {"serviceMonitor.enabled": True, "networkPolicy.enabled": True, "config.kasCaCert": "a CA", **TLS,
              "image.tag": "v1@sha256:" + "0" * 64, "additionalLabels": {"app.kubernetes.io/name": "mine"}}
    objects = chart.render(values, "--namespace", place, "--kube-version", "1.20.2", release_name=name)
    for each in objects.values():
        labels = each["metadata"]["labels"]
        assert all(len(value) <= 63 and LABEL.fullmatch(value) for value in labels.values()), labels
        assert labels["app.kubernetes.io/name"] == "gitlab-agent" and labels["app.kubernetes.io/instance"] == name
    monitor = objects.pop("ServiceMonitor")
    assert monitor["metadata"]["name"] == objects["Service"]["metadata"]["name"]
    # The cluster itself says whether it takes them.
    direct.run("create", "--dry-run=server", "--namespace", place, "-f", "-",
               input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects.values())}).encode())


def test_releases_that_differ_have_objects_that_differ(chart):
    def names(*options, **more):
        return {(kind, each["metadata"]["name"]) for kind, each in
                chart.render({"config.kasCaCert": "a CA", **TLS, "config.observability.tls.secret.name": ""},
                             *options, **more).items()}

    one = names(release_name="one")
    assert not one & names(release_name="two")
    elsewhere = names("--namespace", "other", release_name="one")
    assert not [kind for kind, _ in one & elsewhere if kind.startswith("Cluster")]


def test_both_helms_are_those_that_are_meant(cluster, tmp_path):
    versions = [release.Helm(cluster[which], tmp_path / which, cluster["KUBECONFIG"]).run("version", "--short").stdout
                for which in HELMS]
    assert versions[0].startswith("v3.") and versions[1].startswith("v4.")
