import os
import pathlib
import secrets
import subprocess

import pytest

import chart as charts
import release as releases
import towline
import upstream


@pytest.fixture(scope="session")
def cluster():
    """The real local cluster: its environment variables. scripts/test brings it up."""
    env = towline.devcluster_env()
    assert pathlib.Path(env["KUBECONFIG"]).exists(), "no cluster: run scripts/devcluster up"
    return env


@pytest.fixture
def system(tmp_path):
    """A server with project, agent and tokens, without a connected agent."""
    made = towline.System(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def connected(system, cluster):
    """The same with an agent connected over wss."""
    system.start_agent(cluster["KUBECONFIG"])
    return system


class Kubectl:
    def __init__(self, binary, kubeconfig, namespace=None):
        self.binary, self.kubeconfig, self.namespace = binary, kubeconfig, namespace

    def command(self, *arguments):
        where = ["--namespace", self.namespace] if self.namespace else []
        return [str(self.binary), "--kubeconfig", str(self.kubeconfig), *where, *map(str, arguments)]

    def inside(self, namespace):
        """The same, within a namespace."""
        return Kubectl(self.binary, self.kubeconfig, namespace)

    def run(self, *arguments, check=True, input=None, timeout=120, env=None):
        result = subprocess.run(self.command(*arguments), input=input, capture_output=True, timeout=timeout,
                                env={**os.environ, **(env or {})})
        if check:
            assert result.returncode == 0, f"kubectl {arguments}: {result.stderr.decode()}"
        return result

    def out(self, *arguments, **options):
        return self.run(*arguments, **options).stdout.decode()

    def popen(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@pytest.fixture(scope="session")
def direct(cluster):
    """kubectl that reaches the cluster directly, for preparing and checking."""
    return Kubectl(cluster["TOWLINE_KUBECTL"], cluster["KUBECONFIG"])


@pytest.fixture
def kubectl(connected, cluster):
    """kubectl through the tunnel."""
    return Kubectl(cluster["TOWLINE_KUBECTL"], connected.kubeconfig())


@pytest.fixture(scope="session")
def make_kubectl(cluster):
    return lambda kubeconfig: Kubectl(cluster["TOWLINE_KUBECTL"], kubeconfig)


@pytest.fixture(scope="session")
def namespace(direct):
    """A namespace of this run's own, so that several can use one cluster."""
    name = f"e2e-{secrets.token_hex(4)}"
    direct.run("create", "namespace", name)
    # Pods need the service account that the cluster makes a moment later.
    towline.wait_for(lambda: direct.run("-n", name, "get", "serviceaccount", "default", check=False).returncode == 0,
                     "the namespace's service account")
    yield name
    direct.run("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def pod(direct, namespace):
    """A running pod of the namespace: it counts on its standard output, has a shell, and serves HTTP on port 8000."""
    name = "counter"
    script = ("mkdir -p /tmp/www; echo hello from the pod >/tmp/www/index.html; httpd -p 8000 -h /tmp/www; "
              "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done")
    inside = direct.inside(namespace)
    inside.run("run", name, "--image=localhost/towline-test:dev", "--image-pull-policy=Never", "--restart=Never",
               "--command", "--", "sh", "-c", script)
    inside.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=180s", timeout=200)
    yield name
    inside.run("delete", "pod", name, "--now", "--wait=false")


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """An API server of the tests' own that says what it was asked, for what a real one does not show."""
    made = upstream.Api(tmp_path_factory.mktemp("api"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, cluster):
    """A server with an agent over wss that all tests of a file share: for those that leave them as they were."""
    made = towline.System(tmp_path_factory.mktemp("shared"))
    made.start_agent(cluster["KUBECONFIG"])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def tunnel(shared, cluster, namespace):
    """kubectl through the shared tunnel, in the run's namespace."""
    return Kubectl(cluster["TOWLINE_KUBECTL"], shared.kubeconfig(), namespace)


@pytest.fixture(scope="session")
def image(cluster, tmp_path_factory):
    """The agent's image, in the node's container runtime."""
    archive = tmp_path_factory.mktemp("images") / "agentk.tar"
    subprocess.run([towline.REPOSITORY / "image/build", "--output", archive.parent, "agentk"], check=True, timeout=300)
    with open(archive, "rb") as content:
        releases.in_node("ctr", "-n", "k8s.io", "image", "import", "-", input=content)
    return archive


@pytest.fixture
def helm(request, cluster, tmp_path):
    """The newer helm, or the one that the test's parameter names."""
    which = getattr(request, "param", "TOWLINE_HELM")
    return releases.Helm(cluster[which], tmp_path / "helm", cluster["KUBECONFIG"])


@pytest.fixture
def chart(helm):
    return charts.Chart(helm)


@pytest.fixture
def reachable(tmp_path):
    """A server that pods can reach, with project, agent and token."""
    made = towline.System(tmp_path / "server", host=releases.HOST)
    yield made
    made.stop()


@pytest.fixture
def place(direct):
    """A namespace of the test's own."""
    name = releases.random_name("install")
    direct.run("create", "namespace", name)
    yield name
    direct.run("delete", "namespace", name, "--wait=false")


@pytest.fixture
def release(helm, direct, reachable, place, image):
    """A release that the test installs."""
    made = releases.Release(helm, direct, reachable, place)
    yield made
    made.uninstall(check=False)
