import os
import pathlib
import subprocess

import pytest

import towline


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
    def __init__(self, binary, kubeconfig):
        self.binary, self.kubeconfig = binary, kubeconfig

    def command(self, *arguments):
        return [str(self.binary), "--kubeconfig", str(self.kubeconfig), *map(str, arguments)]

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
def pod(direct):
    """A running pod that counts on its standard output and has a shell."""
    name = "e2e-pod"
    direct.run("delete", "pod", name, "--ignore-not-found", "--now", "--wait=true")
    direct.run("run", name, "--image=localhost/towline-test:dev", "--image-pull-policy=Never", "--restart=Never",
               "--command", "--", "sh", "-c", "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.2; done")
    direct.run("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=120s")
    yield name
    direct.run("delete", "pod", name, "--now", "--wait=false")
