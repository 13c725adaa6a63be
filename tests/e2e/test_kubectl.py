"""What people do with kubectl, through the tunnel, over every kind of connection between agent and server."""

import hashlib
import json
import os
import pty
import re
import select
import subprocess
import time
import urllib.request

import pytest

import towline

WEBSOCKET = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "true", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "true"}
SPDY = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
UPGRADES = pytest.mark.parametrize("upgrade", [SPDY, WEBSOCKET], ids=["spdy", "websocket-first"])

NGINX_LOCATIONS = """
    location / {{
      proxy_pass http://127.0.0.1:{port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 1d;
    }}
    location ~ ^/gitlab\\.agent\\. {{
      grpc_pass grpc://127.0.0.1:{port};
      grpc_read_timeout 1d;
      grpc_send_timeout 1d;
      client_body_timeout 1d;
    }}
"""


def config_map(name, **data):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}).encode()


class Lines:
    """The output of a running program, line by line, with a limit on the wait."""

    def __init__(self, process):
        self.process, self._rest, self.seen = process, b"", []

    def until(self, pattern, seconds=30):
        """Reads until a line matches; returns the match."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self._rest:
                line, self._rest = self._rest.split(b"\n", 1)
                self.seen.append(line.decode(errors="replace"))
                found = re.search(pattern, self.seen[-1])
                if found:
                    return found
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise AssertionError(f"no line matched {pattern!r} in {self.seen[-20:]} {self.process.poll()}")
            self._rest += data


def stop(process):
    process.terminate()
    process.wait(20)
    process.stdout.close()
    process.stderr.close()


# Every kind of connection.

@pytest.fixture(scope="module", params=["grpc", "grpcs", "ws", "wss", "wss-nginx", "grpcs-nginx"])
def way(request, tmp_path_factory, cluster, namespace, make_kubectl):
    """kubectl through a tunnel over one kind of connection; with nginx, both ends pass it."""
    folder = tmp_path_factory.mktemp("way")
    system = towline.System(folder)
    nginx = None
    if request.param.endswith("-nginx"):
        nginx = towline.Upstream(folder, NGINX_LOCATIONS.format(port=system.kas.port), http2=True)
        scheme = request.param.split("-")[0]
        path = "/-/kubernetes-agent/" if scheme == "wss" else ""
        agent = towline.Agentk(folder, f"{scheme}://localhost:{nginx.port}{path}", system.agent_token,
                               cluster["KUBECONFIG"], ca_file=nginx.ca_file).wait_ready()
        system.agents.append(agent)
        kubeconfig = system.kubeconfig(server=f"https://localhost:{nginx.port}/-/kubernetes-agent/k8s-proxy/",
                                       ca_file=nginx.ca_file)
    else:
        system.start_agent(cluster["KUBECONFIG"], request.param)
        kubeconfig = system.kubeconfig()
    yield make_kubectl(kubeconfig).inside(namespace)
    system.stop()
    if nginx:
        nginx.stop()


def test_objects_are_read_made_changed_and_removed(way, direct):
    name = f"objects-{time.monotonic_ns()}"
    asked = towline.GET_LASTING_NAMESPACES
    assert way.out(*asked) == direct.out(*asked) != ""
    way.run("apply", "-f", "-", input=config_map(name, colour="red"))
    way.run("apply", "--server-side", "--force-conflicts", "-f", "-", input=config_map(name, colour="blue"))
    way.run("patch", "configmap", name, "--type=merge", "-p", '{"data": {"shape": "round"}}')
    data = json.loads(direct.inside(way.namespace).out("get", "configmap", name, "-o", "json"))["data"]
    assert data == {"colour": "blue", "shape": "round"}
    way.run("delete", "configmap", name)
    gone = way.run("get", "configmap", name, check=False)
    assert gone.returncode == 1 and b"not found" in gone.stderr


def test_a_watch_sees_changes_as_they_happen(way, direct):
    name = f"watched-{time.monotonic_ns()}"
    here = direct.inside(way.namespace)
    here.run("create", "configmap", name, "--from-literal=colour=red")
    process = way.popen("get", "configmap", name, "-w", "-o", "jsonpath={.data.colour}{'\\n'}")
    try:
        lines = Lines(process)
        lines.until("^red$")
        for colour in ("green", "blue"):
            here.run("patch", "configmap", name, "-p", json.dumps({"data": {"colour": colour}}))
            lines.until(f"^{colour}$")
    finally:
        stop(process)
        here.run("delete", "configmap", name)


def test_logs_follow_the_container(way, pod):
    process = way.popen("logs", "-f", pod, "--tail=1")
    try:
        lines = Lines(process)
        first = int(lines.until(r"^line (\d+)$").group(1))
        lines.until(f"^line {first + 5}$")
    finally:
        stop(process)


def test_exec_passes_input_output_and_exit_code(way, pod):
    result = way.run("exec", "-i", pod, "--", "sh", "-c", "cat; echo to stderr >&2; exit 42", check=False,
                     input=b"through the tunnel\n" * 1000)
    assert result.returncode == 42
    assert result.stdout == b"through the tunnel\n" * 1000
    assert b"to stderr" in result.stderr


# What does not depend on the connection, over wss.

@UPGRADES
def test_exec_with_a_terminal(tunnel, pod, upgrade):
    master, slave = pty.openpty()
    process = subprocess.Popen(tunnel.command("exec", "-it", pod, "--", "sh"), stdin=slave, stdout=slave, stderr=slave,
                               env={**os.environ, **upgrade, "TERM": "dumb"}, start_new_session=True)
    os.close(slave)
    seen = b""

    def read_until(text):
        nonlocal seen
        end = time.monotonic() + 30
        while text not in seen:
            ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
            assert ready, f"{text!r} did not come: {seen!r}"
            try:
                seen += os.read(master, 4096)
            except OSError:  # the other end is closed
                break
        assert text in seen, seen

    try:
        read_until(b"#")
        os.write(master, b"tty; echo $((6*7))\r")
        read_until(b"/dev/pts/")
        read_until(b"42")
        os.write(master, b"exit 7\r")
        assert process.wait(30) == 7
    finally:
        process.kill()
        process.wait()
        os.close(master)


@UPGRADES
def test_exec_ends_when_the_program_ends_and_without_input(tunnel, pod, upgrade):
    result = tunnel.run("exec", pod, "--", "sh", "-c", "echo one; exit 3", check=False, env=upgrade)
    assert (result.returncode, result.stdout) == (3, b"one\n")
    assert tunnel.out("exec", pod, "--", "seq", "100000", env=upgrade) == "".join(f"{i}\n" for i in range(1, 100001))


@UPGRADES
def test_attach_shows_what_the_container_prints(tunnel, pod, upgrade):
    process = tunnel.popen("attach", pod, env={**os.environ, **upgrade})
    try:
        lines = Lines(process)
        first = int(lines.until(r"^line (\d+)").group(1))
        lines.until(f"^line {first + 3}")
    finally:
        stop(process)


@UPGRADES
def test_port_forward_carries_several_connections(tunnel, pod, upgrade):
    process = tunnel.popen("port-forward", f"pod/{pod}", ":8000", env={**os.environ, **upgrade})
    try:
        port = Lines(process).until(r"Forwarding from 127\.0\.0\.1:(\d+)").group(1)
        for _ in range(5):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/index.html", timeout=30) as response:
                assert response.read() == b"hello from the pod\n"
    finally:
        stop(process)


@pytest.mark.measures
def test_100_mib_are_copied_both_ways_unharmed(tunnel, pod, tmp_path):
    source, back = tmp_path / "source.bin", tmp_path / "back.bin"
    checksum = hashlib.sha256()
    with open(source, "wb") as file:
        for _ in range(100):
            block = os.urandom(1 << 20)
            checksum.update(block)
            file.write(block)
    tunnel.run("cp", source, f"{pod}:/tmp/copied.bin", timeout=300)
    assert tunnel.out("exec", pod, "--", "sha256sum", "/tmp/copied.bin").split()[0] == checksum.hexdigest()
    tunnel.run("cp", f"{pod}:/tmp/copied.bin", back, timeout=300)
    with open(back, "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == checksum.hexdigest()
    tunnel.run("exec", pod, "--", "rm", "/tmp/copied.bin")
