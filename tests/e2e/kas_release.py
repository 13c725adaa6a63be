"""Releases of chart/towline on the local cluster, and what tests put around them."""

import json
import os
import pathlib
import random
import secrets
import ssl
import subprocess

import node
import towline

CHART = towline.REPOSITORY / "chart/towline"


def free_node_port(direct):
    taken = direct.out("get", "services", "--all-namespaces", "--output", "jsonpath={..nodePort}").split()
    return next(port for port in random.sample(range(30000, 32768), 100) if str(port) not in taken)


class Volume:
    """A folder of the node as a PersistentVolume that only this test's claims are bound to."""

    def __init__(self, direct, folder, name):
        self.direct, self.name, self.folder = direct, name, folder
        folder.mkdir()
        direct.run("apply", "--filename", "-", input=json.dumps({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": name,
                     "persistentVolumeReclaimPolicy": "Retain", "local": {"path": str(folder)},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                         {"key": "kubernetes.io/hostname", "operator": "Exists"}]}]}}}}).encode())

    def options(self):
        return "--set", f"persistence.storageClass={self.name}"

    def remove(self):
        self.direct.run("delete", "persistentvolume", self.name, "--wait=false")


class Server(towline.Kas):
    """A release of the chart, reached at a port of the node. Root's token is the one that the chart made."""

    def __init__(self, helm, direct, folder, tag):
        self.helm, self.direct, self.tag = helm, direct.inside(f"kas-{secrets.token_hex(4)}"), tag
        self.folder, self.namespace = folder, self.direct.namespace
        self.port = free_node_port(direct)
        self.url = f"https://{node.ADDRESS}:{self.port}"
        self.ca_file = folder / "ca.pem"
        self.root_token = None
        # The notes' commands find kubectl, and no proxy stands between.
        path = f"{helm.environment['PATH']}:{pathlib.Path(direct.binary).parent}"
        helm.environment |= {"PATH": path, "NO_PROXY": node.ADDRESS, "no_proxy": node.ADDRESS}
        direct.run("create", "namespace", self.namespace)

    def install(self, *options, wait=True):
        """helm upgrade --install; gives the notes."""
        result = self.helm.run(
            "upgrade", "--install", "towline", CHART, "--namespace", self.namespace, "--set", f"image.tag={self.tag}",
            "--set", "service.type=NodePort", "--set", f"service.nodePort={self.port}", "--set",
            f"externalUrl={self.url}", *(["--wait", "--timeout", "90s"] if wait else []), *options, check=False)
        assert result.returncode == 0, result.stdout + result.stderr + self.state()
        if wait:
            self.serves()
        return result.stdout

    def serves(self):
        """Waits until the pod is ready and the node hands connections on to it."""
        self.direct.run("rollout", "status", "statefulset/towline", "--timeout=90s")
        towline.wait_for(self.certificate, "the node to hand connections on to the pod")

    def certificate(self):
        """What the server shows at its port of the node; nothing while that does not lead there. kube-proxy of 1.20
        holds the port itself for a moment, and then nobody answers."""
        try:
            return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((node.ADDRESS, self.port), timeout=2))
        except OSError:
            return None

    def state(self):
        return (self.direct.out("describe", "pods", check=False)[-2500:]
                + self.direct.out("logs", "statefulset/towline", check=False)[-2500:])

    def follow(self, notes, word):
        """Runs the command of the notes that holds this word; gives its output."""
        return self.helm.shell(next(line for line in notes.splitlines()
                                    if line.strip().startswith("kubectl") and word in line)).stdout

    def trust(self, notes):
        """Takes root's token and the CA as the notes tell."""
        self.root_token = self.follow(notes, ".data.token")
        self.follow(notes, ">ca.pem")
        self.ca_file = self.helm.folder / "ca.pem"

    def take_token(self):
        self.root_token = self.direct.out("get", "secret", "towline-root", "--output",
                                          "go-template={{ .data.token | base64decode }}")

    def call(self, method, path, body=None, token=towline.Kas.TOKEN, headers=None):
        return super().call(method, path, body, self.root_token if token == self.TOKEN else token, headers)

    def pod(self):
        """The pod as the API describes it; nothing in it between two pods."""
        found = self.direct.out("get", "pod", "towline-0", "--ignore-not-found", "--output", "json")
        return json.loads(found or '{"metadata": {}, "status": {}}')

    def shell(self, text, check=True):
        return self.direct.run("exec", "towline-0", "--", "sh", "-c", text, check=check)

    def git(self, *arguments, folder=None, check=True):
        environment = {**os.environ, "GIT_SSL_CAINFO": str(self.ca_file), "GIT_CONFIG_GLOBAL": "/dev/null",
                       "GIT_TERMINAL_PROMPT": "0", "NO_PROXY": f"{node.ADDRESS},localhost"}
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{who}_NAME": "Test", f"GIT_{who}_EMAIL": "test@example.com"}
        result = subprocess.run(["git", *map(str, arguments)], cwd=folder or self.folder, env=environment,
                                capture_output=True, text=True, timeout=120)
        assert not check or result.returncode == 0, result.stderr
        return result

    def clone(self, name):
        """A working copy of root/demo in a folder of this name."""
        address = self.url.replace("://", f"://root:{self.root_token}@")
        self.git("clone", "--quiet", f"{address}/root/demo.git", name)
        return self.folder / name

    def left(self):
        """What is there of the release, Helm's own records too."""
        kinds = "all,secrets,configmaps,serviceaccounts,ingresses,networkpolicies,poddisruptionbudgets,pvc"
        labels = ("app.kubernetes.io/instance=towline", "owner=helm")
        return {name for label in labels
                for name in self.direct.out("get", kinds, "--selector", label, "--output", "name").split()}

    def remove(self):
        self.helm.run("uninstall", "towline", "--namespace", self.namespace, check=False)
        self.direct.run("delete", "namespace", self.namespace, "--wait=false")


class Connected(towline.System):
    """The project, agent and tokens of towline.System on a server that runs already."""

    def __init__(self, folder, server, agent):
        self.folder, self.kas, self.agents = folder, server, []
        server.create_project()
        server.write_config(self.CONFIG, agent=agent)
        self.agent_id = server.register_agent(agent)
        self.made = server.agent_token(self.agent_id)
        self.agent_token = self.made["token"]
        self.token = server.personal_token()


class Authority:
    """A CA of openssl's making, and certificates of it for the node's address."""

    def __init__(self, folder):
        self.folder = folder
        self.openssl("req", "-x509", *self.key("ca.key"), "-out", "ca.crt", "-days", "2", "-subj", "/CN=Company CA")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def key(self, name):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name

    def secret(self, name):
        """A fresh certificate as a Secret of type kubernetes.io/tls, with the CA beside it, as cert-manager has it."""
        self.openssl("req", *self.key("tls.key"), "-out", "request", "-subj", "/CN=kas")
        (self.folder / "names").write_text(f"subjectAltName=IP:{node.ADDRESS}\n")
        self.openssl("x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                     "tls.crt", "-days", "2", "-extfile", "names")
        files = {key: (self.folder / key).read_text() for key in ("tls.crt", "tls.key", "ca.crt")}
        return json.dumps({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                           "metadata": {"name": name}, "stringData": files}).encode()

    def certificate(self):
        return ssl.PEM_cert_to_DER_cert((self.folder / "tls.crt").read_text())


def nginx_location(ingress, server):
    """What ingress-nginx makes of these annotations, with its defaults where there are none."""
    said = {name.removeprefix("nginx.ingress.kubernetes.io/"): value
            for name, value in ingress["metadata"]["annotations"].items()}
    return f"""location / {{
      proxy_pass {said.get("backend-protocol", "HTTP").lower()}://{node.ADDRESS}:{server.port};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      client_max_body_size {said.get("proxy-body-size", "1m")};
      proxy_buffering {said.get("proxy-buffering", "off")};
      proxy_request_buffering {said.get("proxy-request-buffering", "on")};
      proxy_read_timeout {said.get("proxy-read-timeout", "60")}s;
      proxy_send_timeout {said.get("proxy-send-timeout", "60")}s;
    }}"""
