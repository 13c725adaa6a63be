"""The agent in a pod, installed by real Helm from the server's own repository, on a real node."""

import hashlib
import os
import pathlib
import subprocess
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
