"""Releases of the chart on the local cluster: real helm, what is in a namespace, and requests while things change."""

import os
import pathlib
import secrets
import subprocess
import threading

import towline

HOST = "198.18.0.1"  # where pods of the local cluster reach this machine
IMAGE = "localhost/towline/agentk"
CHART = towline.REPOSITORY / "chart/gitlab-agent"
HELMS = ["TOWLINE_HELM3", "TOWLINE_HELM"]  # of the cluster's environment: the older one and the newer one


def in_node(*command, input=None):
    subprocess.run([towline.REPOSITORY / "scripts/devcluster", "node", *command], stdin=input, check=True,
                   capture_output=True, timeout=120)


class Helm:
    """Real helm with folders of its own, on the local cluster."""

    def __init__(self, binary, folder, kubeconfig):
        self.binary, self.folder = pathlib.Path(binary), folder
        self.folder.mkdir(exist_ok=True)
        self.environment = {**os.environ, "PATH": f"{self.binary.parent}:{os.environ['PATH']}",
                            "KUBECONFIG": str(kubeconfig), "HELM_CACHE_HOME": str(folder / "cache"),
                            "HELM_CONFIG_HOME": str(folder / "config"), "HELM_DATA_HOME": str(folder / "data"),
                            "NO_PROXY": HOST, "no_proxy": HOST}

    def shell(self, text):
        """Runs commands as somebody would paste them."""
        return self._run(["bash", "-ec", text], True)

    def run(self, *arguments, check=True):
        return self._run([str(each) for each in ("helm", *arguments)], check)

    def _run(self, command, check):
        result = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
                                timeout=180)
        if check:
            assert result.returncode == 0, result.stdout + result.stderr
        return result


def connected(system, agent_id=None):
    """How many pods of the agent the server sees."""
    path = f"/projects/root%2Fdemo/cluster_agents/{agent_id or system.agent_id}/connections"
    return len(system.kas.api("GET", path, expect=200)[1])


class Objects:
    """Names of all objects of a namespace, and of the cluster's that name it, but those that the cluster makes."""

    def __init__(self, direct):
        self.direct = direct

    def of(self, namespace):
        kinds = self.direct.out("api-resources", "--verbs=list", "--namespaced=true", "-o", "name").split()
        kinds = ",".join(kind for kind in kinds if not kind.startswith("events"))
        inside = self.direct.out("get", kinds, "--namespace", namespace, "-o", "name")
        roles = self.direct.out("get", "clusterroles,clusterrolebindings", "-o", "name")
        return sorted([name for name in inside.split() if not self._of_the_cluster(name)] +
                      [name for name in roles.split() if namespace in name])

    @staticmethod
    def _of_the_cluster(name):
        return name in ("serviceaccount/default", "configmap/kube-root-ca.crt") or "/default-token-" in name


class Release:
    """A release of the chart in the source tree, in a namespace of its own, connected to a server."""

    def __init__(self, helm, direct, system, namespace, name="agent"):
        self.helm, self.system, self.namespace, self.name = helm, system, namespace, name
        self.direct = direct.inside(namespace)

    def install(self, *options, token=None, replicas=1, check=True):
        token = self.system.agent_token if token is None else token
        return self.helm.run(
            "upgrade", "--install", self.name, CHART, "--namespace", self.namespace,
            "--set", f"config.kasAddress={self.system.kas.url.replace('https', 'wss')}/-/kubernetes-agent/",
            "--set-file", f"config.kasCaCert={self.system.kas.ca_file}", "--set", f"replicas={replicas}",
            "--set", f"config.token={token}", *options, check=check)

    def uninstall(self, *options, check=True):
        self.helm.run("uninstall", self.name, "--namespace", self.namespace, *options, check=check)

    def deployment(self):
        return f"deployment/{self.name}-gitlab-agent-v2"

    def ready(self, pods=1):
        """Waits until the rollout is over and the server sees as many pods."""
        self.direct.run("rollout", "status", self.deployment(), "--timeout=90s")
        towline.wait_for(lambda: connected(self.system) == pods, f"{pods} pods to be connected", 90)
        return self

    def pods(self):
        """Names of those that are not on their way out."""
        text = self.direct.out("get", "pods", f"--selector=app.kubernetes.io/instance={self.name}", "-o",
                               r'go-template={{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}} '
                               r'{{end}}{{end}}')
        return set(text.split())

    def log(self):
        return self.direct.out("logs", self.deployment(), check=False)


class Load:
    """Requests through the tunnel, one after the other on several threads, none of which may fail."""

    def __init__(self, system, threads=4):
        self.system, self.stopping, self.failed, self.count = system, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def _run(self):
        while not self.stopping.is_set():
            try:
                status, _, body = self.system.request("/version")
            except Exception as error:  # whatever it is, the request has failed
                status, body = repr(error), b""
            self.count += 1
            if status != 200:
                self.failed.append((status, body))

    def passes(self, more=20):
        """Waits until further requests have been answered."""
        before = self.count
        towline.wait_for(lambda: self.count > before + more, "more requests to pass")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, error, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)
        if error is None:
            assert not self.failed, f"{len(self.failed)} of {self.count} failed: {self.failed[:3]}"


def random_name(prefix):
    return f"{prefix}-{secrets.token_hex(4)}"
