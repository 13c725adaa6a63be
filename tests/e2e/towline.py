"""Runs real kas and agentk processes for the end-to-end tests, and speaks their API."""

import base64
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import postgres
from ports import free_port

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TOWLINE_BIN", REPOSITORY / "build/release/bin"))
SANITIZED = any(preset in str(BIN) for preset in ("asan", "tsan"))  # whose memory figures say nothing
PROJECT = "root/demo"
AGENT = "demo"
# Of kubectl: namespaces that no test takes away.
GET_LASTING_NAMESPACES = ("get", "namespaces", "default", "kube-public", "kube-system",
                          "-o", "jsonpath={.items[*].metadata.uid}")


def wait_for(condition, what, seconds=30.0):
    """Polls until condition() is true and returns its value; fails naming `what`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


def devcluster_env():
    """KUBECONFIG, TOWLINE_KUBECTL and so on of the local cluster."""
    text = subprocess.run([REPOSITORY / "scripts/devcluster", "env"], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"^export (\w+)=(.*)$", text, re.M))


class Process:
    """A program of ours: its log, its memory and descriptors, and its end."""

    def __init__(self, name, arguments, folder, environment=None):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}-{time.monotonic_ns()}.log"
        self._log = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [str(a) for a in arguments], stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def log_lines(self, message):
        """The JSON log lines with this msg."""
        found = []
        for line in self.log().splitlines():
            if line.startswith("{"):
                entry = json.loads(line)
                if entry.get("msg") == message:
                    found.append(entry)
        return found

    def memory(self, field="VmRSS"):
        """Bytes; VmHWM for the peak."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) * 1024

    def reset_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()
        self._log.close()

    def terminate(self):
        """SIGTERM; wait with self.process.wait(timeout)."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self, seconds=20):
        hung = False
        if self.running():
            self.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                hung = True
                self.process.kill()
        self.process.wait()
        self._log.close()
        text = self.log()
        assert not hung, f"{self.name} has not stopped within {seconds} s: {text[-3000:]}"
        assert "Sanitizer" not in text, f"{self.name}: {text[-6000:]}"


class Kas:
    """A server with its data folder. `database_url`: a PostgreSQL in SQLite's place; under tests/with_postgres each
    server has a database of its own there unless it is told otherwise."""

    TOKEN = "glpat-roottokenoftheendtoendtests0000"

    def __init__(self, folder, *flags, port=None, host="localhost", database_url=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if database_url is None and "TOWLINE_TEST_DATABASE_URL" in os.environ:
            database_url = postgres.fresh_database(os.environ["TOWLINE_TEST_DATABASE_URL"])
        if database_url:
            (self.folder / "database-url").write_text(database_url + "\n")
            flags = (*flags, "--database-url-file", self.folder / "database-url")
        self.database_url = database_url
        self.port = port or free_port()
        self.metrics_port = free_port()
        self.flags = flags
        self.host = host
        self.url = f"https://{host}:{self.port}"
        self.ca_file = self.folder / "data/tls/ca.pem"
        (self.folder / "root-token").write_text(self.TOKEN)
        (self.folder / "root-password").write_text("correct horse battery staple")
        self.process = None
        self.start()

    def start(self):
        self.process = Process("kas", [
            BIN / "kas", "--data-dir", self.folder / "data", "--listen", f"0.0.0.0:{self.port}",
            "--external-url", self.url, "--observability-listen", f"127.0.0.1:{self.metrics_port}",
            "--root-token-file", self.folder / "root-token", "--root-password-file", self.folder / "root-password",
            *self.flags], self.folder)
        try:
            wait_for(lambda: self.ready() or not self.process.running(), "kas to be ready")
            assert self.process.running(), self.process.log()
        except AssertionError:
            print(self.process.log())
            raise

    def ready(self):
        return http_status(f"http://127.0.0.1:{self.metrics_port}/readiness") == 200

    def kill_and_restart(self):
        self.process.kill()
        self.start()

    def stop(self):
        self.process.stop()

    def change_rows(self, statement):
        """Changes the database behind the server's back; returns how many rows."""
        if self.database_url:
            return int(postgres.psql(self.database_url, statement).split()[-1])
        with sqlite3.connect(self.folder / "data/towline.db", timeout=20) as connection:
            return connection.execute(statement).rowcount

    def tls(self, alpn=None):
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def connect(self, alpn=None, timeout=30):
        """A TLS connection to the server as a socket."""
        raw = socket.create_connection(("localhost", self.port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.tls(alpn).wrap_socket(raw, server_hostname="localhost")

    def call(self, method, path, body=None, token=TOKEN, headers=None):
        """A REST call of a path as it stands; returns (status, headers, body)."""
        request = urllib.request.Request(self.url + "/api/v4" + path, method=method, headers=headers or {})
        request.add_header("PRIVATE-TOKEN", token)
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=30, context=self.tls()) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def api(self, method, path, body=None, token=TOKEN, expect=None):
        """A REST call; returns (status, decoded JSON). `expect`: the status that is asserted."""
        status, _, text = self.call(method, path, body, token)
        decoded = json.loads(text) if text.strip() else None
        if expect is not None:
            assert status == expect, f"{method} {path}: {status} {decoded}"
        return status, decoded

    def create_project(self, name="demo"):
        return self.api("POST", "/projects", {"name": name}, expect=201)[1]

    def write_config(self, text, agent=AGENT, project=PROJECT):
        """Commits the agent's configuration file; returns nothing."""
        path = "/projects/" + quote(project) + "/repository/files/" + quote(f".gitlab/agents/{agent}/config.yaml")
        body = {"branch": "main", "content": text, "commit_message": "Configure the agent"}
        status, answer = self.api("POST", path, body)
        if status == 400:
            status, answer = self.api("PUT", path, body)
        assert status in (200, 201), answer

    def register_agent(self, name=AGENT, project=PROJECT):
        return self.api("POST", f"/projects/{quote(project)}/cluster_agents", {"name": name}, expect=201)[1]["id"]

    def agent_token(self, agent_id, project=PROJECT):
        return self.api("POST", f"/projects/{quote(project)}/cluster_agents/{agent_id}/tokens", {"name": "t"},
                        expect=201)[1]

    def personal_token(self, scopes=("k8s_proxy",), name="kubectl", days=30):
        expires = time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86400))
        body = {"name": name, "scopes": list(scopes), "expires_at": expires}
        return self.api("POST", "/user/personal_access_tokens", body, expect=201)[1]["token"]

    def metrics(self):
        """Name (with labels as written) to value."""
        return metrics_of(self.metrics_port)


class Agentk:
    """An agent process."""

    def __init__(self, folder, address, token, kubeconfig, *flags, ca_file=None, environment=None, hosts=None):
        """`hosts`: a file that this process has for /etc/hosts, in a mount namespace of its own."""
        self.folder = pathlib.Path(folder)
        self.metrics_port = free_port()
        token_file = self.folder / f"agent-token-{self.metrics_port}"
        token_file.write_text(token)
        arguments = [BIN / "agentk", "--kas-address", address, "--token-file", token_file,
                     "--kubeconfig", kubeconfig, "--observability-listen-address", f"127.0.0.1:{self.metrics_port}",
                     *flags]
        if ca_file:
            arguments += ["--kas-ca-cert-file", ca_file]
        if hosts:
            arguments = ["unshare", "--mount", "sh", "-ec", f'mount --bind "{hosts}" /etc/hosts; exec "$@"', "sh",
                         *arguments]
        self.process = Process("agentk", arguments, self.folder, environment)

    def ready(self):
        return http_status(f"http://127.0.0.1:{self.metrics_port}/readiness") == 200

    def wait_ready(self, seconds=30):
        try:
            wait_for(lambda: self.ready() or not self.process.running(), "agentk to be ready", seconds)
            assert self.process.running(), "agentk has ended"
        except AssertionError:
            print(self.process.log())
            raise
        return self

    def stop(self):
        self.process.stop()


class System:
    """A server with project root/demo, agent `demo` and its token; agents are started on it."""

    CONFIG = "user_access:\n  access_as:\n    agent: {}\n  projects:\n    - id: root/demo\n"

    def __init__(self, folder, *kas_flags, config=CONFIG, host="localhost", database_url=None):
        self.folder = pathlib.Path(folder)
        self.kas = Kas(self.folder, *kas_flags, host=host, database_url=database_url)
        self.kas.create_project()
        if config is not None:
            self.kas.write_config(config)
        self.agent_id = self.kas.register_agent()
        token = self.kas.agent_token(self.agent_id)
        self.agent_token_id, self.agent_token = token["id"], token["token"]
        self.token = self.kas.personal_token()
        self.agents = []

    def address(self, scheme):
        path = "/-/kubernetes-agent/" if scheme.startswith("ws") else ""
        return f"{scheme}://localhost:{self.kas.port}{path}"

    def start_agent(self, kubeconfig, scheme="wss", *flags, wait=True):
        ca = self.kas.ca_file if scheme in ("wss", "grpcs") else None
        agent = Agentk(self.folder, self.address(scheme), self.agent_token, kubeconfig, *flags, ca_file=ca)
        self.agents.append(agent)
        if wait:
            agent.wait_ready()
        return agent

    @property
    def bearer(self):
        return f"pat:{self.agent_id}:{self.token}"

    def proxy_url(self, path=""):
        return f"{self.kas.url}/-/kubernetes-agent/k8s-proxy{path}"

    def kubeconfig(self, name="tunnel.kubeconfig", server=None, ca_file=None, token=None):
        """Writes a kubeconfig that goes through the server; returns its path."""
        ca = base64.b64encode(pathlib.Path(ca_file or self.kas.ca_file).read_bytes()).decode()
        path = self.folder / name
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "towline",
            "clusters": [{"name": "towline", "cluster": {"server": server or self.proxy_url("/"),
                                                         "certificate-authority-data": ca}}],
            "users": [{"name": "user", "user": {"token": token or self.bearer}}],
            "contexts": [{"name": "towline", "context": {"cluster": "towline", "user": "user"}}]}))
        return path

    def request(self, path, method="GET", body=None, headers=None, token=None, timeout=60):
        """One proxied request; returns (status, headers, body bytes)."""
        request = urllib.request.Request(self.proxy_url(path), data=body, method=method, headers=headers or {})
        if token != "":
            request.add_header("Authorization", "Bearer " + (token or self.bearer))
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self.kas.tls()) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def stop(self):
        """Stops all, also when one of them does not end as it should; that is raised then."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.kas.stop)
            for agent in self.agents:
                stack.callback(agent.stop)


class Upstream:
    """nginx with TLS, in the place of a cluster's API where a test needs an answer of its own choosing."""

    def __init__(self, folder, locations, certificate_for=("localhost", "127.0.0.1"), http2=False,
                 address="127.0.0.1"):
        self.folder = pathlib.Path(folder) / f"nginx-{time.monotonic_ns()}"
        self.folder.mkdir(parents=True)
        self.port = free_port()
        names = ",".join(("IP:" if name[0].isdigit() else "DNS:") + name for name in certificate_for)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem", "-days", "30",
                        "-subj", "/CN=upstream", "-addext", "subjectAltName=" + names],
                       check=True, capture_output=True)
        h2 = " http2" if http2 else ""
        (self.folder / "nginx.conf").write_text(f"""
user root; worker_processes 1; daemon off; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 16384; }}
worker_rlimit_nofile 65536;
http {{
  access_log off; client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/f; uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  keepalive_requests 1000000; client_max_body_size 0;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen {address}:{self.port} ssl{h2};
    ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;
    {locations}
  }}
}}""")
        self.process = Process("nginx", ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf"], self.folder)
        wait_for(lambda: connects(self.port), "nginx")

    @property
    def ca_file(self):
        return self.folder / "cert.pem"

    def kubeconfig(self):
        path = self.folder / "upstream.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                   "certificate-authority": str(self.ca_file)}}],
            "users": [{"name": "u", "user": {"token": "upstream"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return path

    def stop(self):
        self.process.stop()


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def metrics_of(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}


def http_status(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def quote(text):
    return urllib.parse.quote(text, safe="")
