"""The agent in a pod, installed by real Helm from the server's own repository, on a real node."""

import hashlib
import os
import pathlib
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

import towline

HOST = "198.18.0.1"  # where pods of the local cluster reach this machine
IMAGE = "localhost/towline/agentk"


@pytest.fixture(scope="session")
def image(cluster, tmp_path_factory):
    """The agent's image, in the node's container runtime."""
    folder = pathlib.Path(tmp_path_factory.mktemp("images"))
    repository = towline.REPOSITORY
    subprocess.run([repository / "image/build", "--output", folder, "agentk"], check=True, timeout=300)
    with open(folder / "agentk.tar", "rb") as archive:
        subprocess.run([repository / "scripts/devcluster", "node", "ctr", "-n", "k8s.io", "image", "import", "-"],
                       stdin=archive, check=True, timeout=120)
    return folder / "agentk.tar"


class Helm:
    """Real helm with folders of its own, on the local cluster."""

    def __init__(self, binary, folder, kubeconfig):
        self.binary = binary
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HELM_CACHE_HOME": str(folder / "cache"),
                            "HELM_CONFIG_HOME": str(folder / "config"), "HELM_DATA_HOME": str(folder / "data"),
                            "NO_PROXY": HOST, "no_proxy": HOST}
        self.folder = folder

    def shell(self, text, check=True):
        """Runs commands as somebody would paste them."""
        environment = {**self.environment, "PATH": f"{pathlib.Path(self.binary).parent}:{os.environ['PATH']}"}
        result = subprocess.run(["bash", "-ec", text], cwd=self.folder, env=environment, capture_output=True, text=True,
                                timeout=180)
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result

    def run(self, *arguments, check=True):
        return self.shell(" ".join(f"'{each}'" for each in ("helm", *map(str, arguments))), check)


@pytest.fixture
def helm(cluster, tmp_path):
    folder = tmp_path / "helm"
    folder.mkdir()
    return Helm(pathlib.Path(cluster["TOWLINE_HELM"]), folder, cluster["KUBECONFIG"])


@pytest.fixture
def reachable(tmp_path):
    """A server that pods can reach, with project, agent and token."""
    made = towline.System(tmp_path / "server", host=HOST)
    yield made
    made.stop()


def installation(system):
    """The command that the page shows, as it is."""
    kas = system.kas
    return kas.api("POST", f"/projects/root%2Fdemo/cluster_agents/{system.agent_id}/tokens", {"name": "cluster"},
                   expect=201)[1]["installation"]["text"]


def connected(system):
    return len(system.kas.api("GET", f"/projects/root%2Fdemo/cluster_agents/{system.agent_id}/connections",
                              expect=200)[1])


def test_the_recommended_command_works_as_it_is_pasted(reachable, helm, image, make_kubectl, direct):
    text = installation(reachable)
    namespace = "gitlab-agent-demo"
    try:
        helm.shell(text)
        direct.run("rollout", "status", "--namespace", namespace, "deployment/demo-gitlab-agent-v2", "--timeout=90s")
        towline.wait_for(lambda: connected(reachable) == 2, "both pods to be connected")
        through = make_kubectl(reachable.kubeconfig())
        assert b"kube-system" in through.run("get", "namespaces").stdout
        # Upgrading with the values that are in force changes nothing.
        helm.shell(f"helm get values demo -n {namespace} -o yaml > values.yaml && "
                   f"helm upgrade demo towline/gitlab-agent -n {namespace} -f values.yaml")
        direct.run("rollout", "status", "--namespace", namespace, "deployment/demo-gitlab-agent-v2", "--timeout=90s")
        helm.run("uninstall", "demo", "--namespace", namespace, "--wait")
        kinds = "all,secrets,configmaps,serviceaccounts,poddisruptionbudgets,clusterrolebindings"

        def left():
            return direct.out("get", kinds, "--namespace", namespace, "--selector=app.kubernetes.io/instance=demo",
                              "-o", "name").strip()

        towline.wait_for(lambda: left() == "", "nothing of the release to be left", 90)
    finally:
        helm.run("uninstall", "demo", "--namespace", namespace, check=False)
        direct.run("delete", "namespace", namespace, "--wait=false")


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


class Release:
    """A release of the chart in the source tree, in a namespace of its own, connected to a server."""

    def __init__(self, helm, direct, system, namespace, name="agent"):
        self.helm, self.direct, self.system, self.namespace, self.name = helm, direct, system, namespace, name
        self.chart = towline.REPOSITORY / "chart/gitlab-agent"

    def install(self, *options, token=None, check=True):
        token = self.system.agent_token if token is None else token
        return self.helm.run(
            "upgrade", "--install", self.name, self.chart, "--namespace", self.namespace,
            "--set", f"config.kasAddress={self.system.kas.url.replace('https', 'wss')}/-/kubernetes-agent/",
            "--set-file", f"config.kasCaCert={self.system.kas.ca_file}", "--set", "replicas=1",
            "--set", f"config.token={token}", *options, check=check)

    def deployment(self):
        return f"deployment/{self.name}-gitlab-agent-v2"

    def ready(self):
        self.direct.run("rollout", "status", "--namespace", self.namespace, self.deployment(), "--timeout=90s")
        towline.wait_for(lambda: connected(self.system) >= 1, "a pod to be connected")
        return self

    def log(self):
        return self.direct.out("logs", "--namespace", self.namespace, self.deployment(), check=False)


@pytest.fixture
def place(direct):
    """A namespace of the test's own."""
    name = f"install-{os.urandom(4).hex()}"
    direct.run("create", "namespace", name)
    yield name
    direct.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def release(helm, direct, reachable, place, image):
    made = Release(helm, direct, reachable, place)
    yield made
    helm.run("uninstall", made.name, "--namespace", place, check=False)


def test_an_existing_service_account_and_secret_are_used(release, direct):
    direct.run("create", "serviceaccount", "mine", "--namespace", release.namespace)
    direct.run("create", "secret", "generic", "my-token", f"--from-literal=token={release.system.agent_token}",
               "--namespace", release.namespace)
    release.install("--set", "serviceAccount.create=false", "--set", "serviceAccount.name=mine",
                    "--set", "config.secretName=my-token", token="")
    release.ready()
    names = direct.out("get", "serviceaccounts,secrets", "--namespace", release.namespace, "-o", "name",
                       "--selector=app.kubernetes.io/managed-by=Helm")
    assert names.strip() == ""
    status, _, body = release.system.request("/api/v1/namespaces/kube-system")
    assert status == 200 and b"kube-system" in body


def test_the_agent_may_what_the_chosen_role_may(release):
    release.install("--set", "rbac.useExistingRole=view")
    release.ready()
    assert release.system.request(f"/api/v1/namespaces/{release.namespace}/pods")[0] == 200
    status, _, body = release.system.request(f"/api/v1/namespaces/{release.namespace}/secrets")
    assert status == 403 and f"system:serviceaccount:{release.namespace}:agent-gitlab-agent".encode() in body


def test_without_rbac_the_agent_may_nothing(release):
    release.install("--set", "rbac.create=false")
    release.ready()
    status, _, body = release.system.request(f"/api/v1/namespaces/{release.namespace}/pods")
    assert status == 403 and b"forbidden" in body


def test_two_releases_in_one_namespace_and_in_two(helm, direct, reachable, place, image):
    other = f"{place}-b"
    direct.run("create", "namespace", other)
    releases = [Release(helm, direct, reachable, place, "one"), Release(helm, direct, reachable, place, "two"),
                Release(helm, direct, reachable, other, "one")]
    try:
        for each in releases:
            each.install()
        for each in releases:
            each.ready()
        towline.wait_for(lambda: connected(reachable) == 3, "all three to be connected")
    finally:
        for each in releases:
            helm.run("uninstall", each.name, "--namespace", each.namespace, check=False)
        direct.run("delete", "namespace", other, "--wait=false")


class Load:
    """Requests through the tunnel, one after the other on several threads, until it is stopped."""

    def __init__(self, system, threads=4):
        self.system, self.stopping, self.failed, self.count = system, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopping.is_set():
            status, _, body = self.system.request("/version")
            self.count += 1
            if status != 200:
                self.failed.append((status, body))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def test_a_rolling_restart_and_a_new_token_fail_no_request(release, direct):
    release.install()
    release.ready()
    system = release.system
    load = Load(system)
    try:
        direct.run("rollout", "restart", "--namespace", release.namespace, release.deployment())
        release.ready()
        second = system.kas.agent_token(system.agent_id)
        release.install(token=second["token"])
        release.ready()
        towline.wait_for(lambda: connected(system) == 1, "the old pod to be gone", 90)
        system.kas.api("DELETE", f"/projects/root%2Fdemo/cluster_agents/{system.agent_id}/tokens/{system.agent_token_id}",
                       expect=204)
        before = load.count
        towline.wait_for(lambda: load.count > before + 20, "more requests to pass")
    finally:
        load.stop()
    assert not load.failed, load.failed[:3]
    assert load.count > 50


def test_what_is_wrong_is_refused_or_said(release):
    without = release.install(token="", check=False)
    assert without.returncode != 0 and "config.token" in without.stderr
    unknown = release.install("--set", "replicas=many", check=False)
    assert unknown.returncode != 0 and "replicas" in unknown.stderr
    release.install(token="glagent-wrong")
    towline.wait_for(lambda: "the agent token is wrong or revoked" in release.log(), "the log to tell of the token", 60)
