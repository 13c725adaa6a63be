"""The agent in a pod, installed by real Helm, on a real node: as the page says, and customized."""

import hashlib
import socket
import urllib.error
import urllib.request

import pytest

import proxies
import towline
from release import HELMS, HOST, Objects, Release, connected, random_name


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_the_recommended_command_works_as_it_is_pasted(reachable, helm, image, make_kubectl, direct):
    kas = reachable.kas
    name = random_name("agent")
    namespace = f"gitlab-agent-{name}"
    kas.write_config(reachable.CONFIG, agent=name)
    agent_id = kas.register_agent(name)
    text = kas.agent_token(agent_id)["installation"]["text"]
    objects, inside = Objects(direct), direct.inside(namespace)
    deployment = f"deployment/{name}-gitlab-agent-v2"
    try:
        helm.shell(text)
        inside.run("rollout", "status", deployment, "--timeout=90s")
        towline.wait_for(lambda: connected(reachable, agent_id) == 2, "both pods to be connected")
        through = make_kubectl(reachable.kubeconfig(token=f"pat:{agent_id}:{reachable.token}"))
        assert b"kube-system" in through.run("get", "namespaces").stdout
        # Upgrading with the values that are in force changes nothing.
        before = inside.out("get", "pods", "-o", "name")
        for option in ("", "--all", "--output yaml"):
            helm.shell(f"helm get values {name} -n {namespace} {option} > agent.yaml && "
                       f"helm upgrade {name} towline/gitlab-agent -n {namespace} -f agent.yaml")
        inside.run("rollout", "status", deployment, "--timeout=90s")
        assert inside.out("get", "pods", "-o", "name") == before
        helm.shell(f"helm uninstall {name} --namespace {namespace}")
        towline.wait_for(lambda: objects.of(namespace) == [], "nothing of the release to be left", 90)
    finally:
        helm.run("uninstall", name, "--namespace", namespace, check=False)
        direct.run("delete", "namespace", namespace, "--wait=false", check=False)


def test_the_repository_has_what_its_index_says(reachable):
    context = reachable.kas.tls()

    def get(path):
        with urllib.request.urlopen(f"{reachable.kas.url}/charts/{path}", context=context, timeout=30) as response:
            return response.read()

    index = get("index.yaml").decode()
    name = next(line.split("- ")[1] for line in index.splitlines() if line.strip().endswith(".tgz"))
    assert f"digest: {hashlib.sha256(get(name)).hexdigest()}" in index
    with pytest.raises(urllib.error.HTTPError, match="404"):
        get("nothing.tgz")


def test_an_existing_service_account_and_secret_are_used(release):
    release.direct.run("create", "serviceaccount", "mine")
    release.direct.run("create", "secret", "generic", "my-token", f"--from-literal=token={release.system.agent_token}")
    release.install("--set", "serviceAccount.create=false", "--set", "serviceAccount.name=mine",
                    "--set", "config.secretName=my-token", token="")
    release.ready()
    names = release.direct.out("get", "serviceaccounts,secrets", "-o", "name",
                               "--selector=app.kubernetes.io/managed-by=Helm")
    assert names.strip() == ""
    status, _, body = release.system.request("/api/v1/namespaces/kube-system")
    assert status == 200 and b"kube-system" in body


def may(release, verb, what):
    """Whether the agent's service account may, as the cluster says."""
    account = f"--as=system:serviceaccount:{release.namespace}:{release.name}-gitlab-agent"
    return release.direct.out("auth", "can-i", verb, what, account, check=False).strip() == "yes"


ELECTION = [("create", "leases.coordination.k8s.io"), ("update", "leases.coordination.k8s.io"),
            ("delete", "leases.coordination.k8s.io"), ("create", "events"), ("get", "pods"),
            ("get", "replicasets.apps")]


def test_the_agent_may_what_the_chosen_role_may_and_choose_a_leader(release):
    release.install("--set", "rbac.useExistingRole=view")
    release.ready()
    assert release.system.request(f"/api/v1/namespaces/{release.namespace}/pods")[0] == 200
    status, _, body = release.system.request(f"/api/v1/namespaces/{release.namespace}/secrets")
    assert status == 403 and f"system:serviceaccount:{release.namespace}:agent-gitlab-agent".encode() in body
    assert [each for each in ELECTION if not may(release, *each)] == []
    assert not may(release, "delete", "pods")
    lease = ("get", f"lease/agent-{release.system.agent_id}-lock", "-o")
    where = "jsonpath={.metadata.ownerReferences[0].kind}/{.metadata.ownerReferences[0].name}"
    towline.wait_for(lambda: release.direct.out(*lease, where, check=False) == "Deployment/agent-gitlab-agent-v2",
                     "a leader whose Lease is the Deployment's")
    holder = release.direct.out(*lease, "jsonpath={.spec.holderIdentity}")
    assert any(pod in holder for pod in release.pods()), holder


def test_without_rbac_the_agent_may_nothing(release):
    release.install("--set", "rbac.create=false")
    release.ready()
    status, _, body = release.system.request(f"/api/v1/namespaces/{release.namespace}/pods")
    assert status == 403 and b"forbidden" in body
    assert [each for each in ELECTION if may(release, *each)] == []


def test_without_observability_and_a_user_of_the_pod_it_runs_all_the_same(release):
    release.install("--set", "config.observability.enabled=false", "--set", "podSecurityContext=null")
    release.ready()
    assert release.system.request("/version")[0] == 200
    address = release.direct.out("get", "pods", "-o", "jsonpath={.items[0].status.podIP}")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 8080), 10)


def test_two_releases_in_one_namespace_and_in_two(helm, direct, reachable, place, image):
    other = f"{place}-b"
    direct.run("create", "namespace", other)
    releases = [Release(helm, direct, reachable, place, "one"), Release(helm, direct, reachable, place, "two"),
                Release(helm, direct, reachable, other, "one")]
    try:
        for each in releases:
            each.install()
        for each in releases:
            each.ready(3)
        # The end of one is not that of the others.
        releases[0].uninstall()
        towline.wait_for(lambda: connected(reachable) == 2, "one to be gone")
        assert reachable.request("/version")[0] == 200
    finally:
        for each in releases:
            each.uninstall(check=False)
        direct.run("delete", "namespace", other, "--wait=false")


@pytest.fixture
def squid():
    made = proxies.Squid(host=HOST)
    yield made
    made.stop()


def test_a_proxy_of_the_environment_is_used(release, squid):
    kas = release.system.kas
    release.helm.shell(f"""helm upgrade --install agent {towline.REPOSITORY}/chart/gitlab-agent \\
      --set extraEnv[0].name=HTTPS_PROXY \\
      --set extraEnv[0].value={squid.url} \\
      --namespace {release.namespace} --set replicas=1 --set config.token={release.system.agent_token} \\
      --set config.kasAddress={kas.url.replace("https", "wss")}/-/kubernetes-agent/ \\
      --set-file config.kasCaCert={kas.ca_file}""")
    release.ready()
    assert release.system.request("/version")[0] == 200
    assert '"msg":"the server is reached through an HTTP proxy"' in release.log()
    release.uninstall()
    towline.wait_for(lambda: f"CONNECT {HOST}:{kas.port}" in squid.requests(), "the proxy's log to name the server", 90)


def test_a_wrong_token_is_said_in_the_log(release):
    release.install(token="glagent-wrong")
    towline.wait_for(lambda: "the agent token is wrong or revoked" in release.log(), "the log to tell of the token", 60)
