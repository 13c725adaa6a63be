"""What changes about an installed agent: versions, tokens and pods change without a failed request."""

import json

import towline
from release import IMAGE, Load, Objects, in_node, random_name


def test_a_rolling_restart_and_a_new_token_fail_no_request(release):
    release.install()
    release.ready()
    system = release.system
    with Load(system) as load:
        release.direct.run("rollout", "restart", release.deployment())
        release.ready()
        second = system.kas.agent_token(system.agent_id)
        release.install(token=second["token"])
        release.ready()
        tokens = f"/projects/root%2Fdemo/cluster_agents/{system.agent_id}/tokens"
        system.kas.api("DELETE", f"{tokens}/{system.agent_token_id}", expect=204)
        load.passes()


def test_another_version_takes_over_without_a_failed_request(release):
    release.install(replicas=2)
    release.ready(2)
    tag = random_name("next")
    current = release.helm.run("show", "chart", towline.REPOSITORY / "chart/gitlab-agent").stdout
    current = next(line.split()[1] for line in current.splitlines() if line.startswith("appVersion"))
    in_node("ctr", "-n", "k8s.io", "image", "tag", f"{IMAGE}:{current}", f"{IMAGE}:{tag}")
    before = release.pods()
    try:
        with Load(release.system) as load:
            # The values that are in force, and a version.
            release.helm.shell(f"helm get values agent -n {release.namespace} > agent.yaml && helm upgrade agent "
                               f"{towline.REPOSITORY}/chart/gitlab-agent -n {release.namespace} -f agent.yaml "
                               f"--set image.tag={tag}")
            release.ready(2)
            load.passes()
        assert not before & release.pods()
        images = release.direct.out("get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}")
        assert f"{IMAGE}:{tag}" in images
    finally:
        release.uninstall("--wait", check=False)
        in_node("ctr", "-n", "k8s.io", "image", "rm", f"{IMAGE}:{tag}")


def evict(release, pod):
    """Asks for an eviction, as draining a node does; returns the answer's text."""
    eviction = {"apiVersion": "policy/v1beta1", "kind": "Eviction",
                "metadata": {"name": pod, "namespace": release.namespace}}
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    result = release.direct.run("create", "--raw", path, "-f", "-", input=json.dumps(eviction).encode(), check=False)
    return (result.stdout + result.stderr).decode()


def test_pods_are_evicted_one_at_a_time_without_a_failed_request(release):
    release.install(replicas=2)
    release.ready(2)
    first, second = release.pods()
    budget = ("get", "poddisruptionbudget/agent-gitlab-agent", "-o", "jsonpath={.status.disruptionsAllowed}")
    towline.wait_for(lambda: release.direct.out(*budget) == "1", "the budget to know of both pods")
    with Load(release.system) as load:
        assert '"Success"' in evict(release, first)
        assert "disruption budget" in evict(release, second)
        release.ready(2)
        towline.wait_for(lambda: '"Success"' in evict(release, second), "the second pod's turn")
        release.ready(2)
        load.passes()
    assert not {first, second} & release.pods()


def test_uninstalling_takes_all_away_that_values_have_added(release):
    objects = Objects(release.direct)
    before = objects.of(release.namespace)
    kas = release.system.kas
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "of-{{ .Release.Name }}"}}
    release.install("--set", "networkPolicy.enabled=true", "--set", "config.observability.tls.enabled=true",
                    "--set", "config.observability.tls.secret.create=true",
                    "--set-file", f"config.observability.tls.cert={kas.ca_file}",
                    "--set-file", f"config.observability.tls.key={kas.ca_file.with_suffix('.key')}",
                    "--set-json", "extraManifests=" + json.dumps([extra]), replicas=2)
    release.ready(2)
    lease = f"lease.coordination.k8s.io/agent-{release.system.agent_id}-lock"
    towline.wait_for(lambda: lease in objects.of(release.namespace), "a leader")
    added = set(objects.of(release.namespace)) - set(before)
    assert {name.split("/")[0] for name in added} >= {
        "configmap", "secret", "serviceaccount", "pod", "deployment.apps", "replicaset.apps",
        "role.rbac.authorization.k8s.io", "rolebinding.rbac.authorization.k8s.io",
        "clusterrolebinding.rbac.authorization.k8s.io", "networkpolicy.networking.k8s.io",
        "poddisruptionbudget.policy"}
    assert "configmap/of-agent" in added
    release.uninstall()
    towline.wait_for(lambda: objects.of(release.namespace) == before, "all to be gone", 90)
