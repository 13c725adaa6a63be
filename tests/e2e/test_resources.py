"""Memory does not depend on sizes or on slow peers, and thousands of watches are no matter."""

import gzip
import http.client
import json
import re
import resource
import selectors
import socket
import time

import pytest

import towline

MIB = 1 << 20
GROWTH = 16 * MIB
PREFIX = "/-/kubernetes-agent/k8s-proxy"

pytestmark = pytest.mark.measures


class Growth:
    """How much kas and an agent grow at their peak, from one moment on."""

    def __init__(self, system, agent):
        self.processes = {"kas": system.kas.process, "agentk": agent.process}
        self.before = {}
        for name, process in self.processes.items():
            process.reset_peak()
            self.before[name] = process.memory("VmRSS")

    def peak(self):
        return {name: process.memory("VmHWM") - self.before[name] for name, process in self.processes.items()}

    def check(self, limit=GROWTH):
        peak = self.peak()
        print({name: f"{value / MIB:.1f} MiB" for name, value in peak.items()})
        assert all(value < limit for value in peak.values()), peak


def open_request(system, path, method="GET", body=None, headers=None):
    connection = http.client.HTTPSConnection("localhost", system.kas.port, timeout=120, context=system.kas.tls())
    connection.request(method, PREFIX + path, body, {"Authorization": "Bearer " + system.bearer, **(headers or {})})
    return connection


def drop(connection):
    """The client is gone, whatever it still holds."""
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def unchanged_for(read, seconds, limit=30):
    """Waits until a number stands still for so long; returns it."""
    state = {"value": read(), "since": time.monotonic()}

    def still():
        value = read()
        if value != state["value"]:
            state.update(value=value, since=time.monotonic())
        return time.monotonic() - state["since"] >= seconds

    towline.wait_for(still, "the number to stand still", limit)
    return state["value"]


@pytest.fixture(scope="module")
def big_file(tmp_path_factory):
    """nginx that serves 1 GiB at /big and takes uploads."""
    folder = tmp_path_factory.mktemp("big")
    with open(folder / "big", "wb") as file:
        file.truncate(1024 * MIB)
    made = towline.Upstream(folder, f"location / {{ root {folder}; }} location /ok {{ return 200 'ok'; }}")
    yield made
    made.stop()


@pytest.mark.parametrize("scheme", ["wss", "grpcs"])
def test_a_stream_of_1_gib_costs_no_memory(system, big_file, scheme):
    agent = system.start_agent(big_file.kubeconfig(), scheme)
    assert system.request("/ok")[2] == b"ok"
    growth = Growth(system, agent)
    start = time.monotonic()
    response = open_request(system, "/big").getresponse()
    assert response.status == 200 and response.headers["Content-Length"] == str(1024 * MIB)
    buffer, size = bytearray(MIB), 0
    while got := response.readinto(buffer):
        size += got
    assert size == 1024 * MIB
    print(f"{size / MIB / (time.monotonic() - start):.0f} MiB/s")
    growth.check()


def test_an_upload_of_512_mib_costs_no_memory(system, api):
    agent = system.start_agent(api.kubeconfig())
    assert system.request("/echo")[0] == 200
    growth = Growth(system, agent)
    block = b"u" * MIB
    connection = open_request(system, "/echo", "POST", (block for _ in range(512)),
                              {"Content-Length": str(512 * MIB)})
    assert json.loads(connection.getresponse().read())["body"] == 512 * MIB
    growth.check()


def test_a_list_of_20_mb_from_the_real_cluster(connected, direct, namespace):
    objects = [{"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": f"large-{i}", "namespace": namespace, "labels": {"test": "large"}},
                "data": {"text": f"{i:03}" * 330_000}} for i in range(21)]
    path = f"/api/v1/namespaces/{namespace}/configmaps?labelSelector=test%3Dlarge"
    try:
        everything = {"apiVersion": "v1", "kind": "List", "items": objects}
        direct.run("create", "-f", "-", input=json.dumps(everything).encode())
        expected = direct.out("get", "--raw", path)
        assert len(expected) > 20_000_000
        agent = connected.agents[0]
        assert connected.request("/version")[0] == 200
        growth = Growth(connected, agent)
        for encoding in ("identity", "gzip"):
            status, headers, body = connected.request(path, headers={"Accept-Encoding": encoding})
            assert status == 200
            if headers["Content-Encoding"] == "gzip":
                body = gzip.decompress(body)
            assert json.loads(body)["items"] == json.loads(expected)["items"]
        growth.check()
    finally:
        direct.run("-n", namespace, "delete", "configmap", "-l", "test=large")


def test_a_reader_that_stops_stops_the_writer(system, api):
    agent = system.start_agent(api.kubeconfig())
    assert system.request("/echo")[0] == 200
    growth = Growth(system, agent)
    api.counters.sent = 0
    connection = open_request(system, "/endless")
    response = connection.getresponse()
    assert response.read(MIB)
    sent = unchanged_for(lambda: api.counters.sent, 1)
    print(f"{sent / MIB:.1f} MiB are under way")
    assert sent < 32 * MIB  # windows and socket buffers of four connections
    growth.check()
    # It goes on when the reader does, also beyond what was under way.
    for _ in range(64):
        assert len(response.read(MIB)) == MIB
    assert api.counters.sent > sent + 16 * MIB
    drop(connection)
    api.wait_idle()


def test_a_stopped_reader_holds_up_nobody_else(system, api):
    system.start_agent(api.kubeconfig())
    stalled = [open_request(system, "/endless") for _ in range(100)]
    for connection in stalled:
        connection.getresponse()
    unchanged_for(lambda: api.counters.sent, 1)
    for _ in range(20):
        start = time.monotonic()
        assert system.request("/echo", timeout=10)[0] == 200
        assert time.monotonic() - start < 2
    for connection in stalled:
        drop(connection)
    api.wait_idle()


def test_a_cluster_that_reads_no_body_stops_the_sender(system, api):
    system.start_agent(api.kubeconfig())
    assert system.request("/echo")[0] == 200
    api.released.clear()
    connection = http.client.HTTPSConnection("localhost", system.kas.port, timeout=120, context=system.kas.tls())
    connection.putrequest("POST", PREFIX + "/hoard")
    connection.putheader("Authorization", "Bearer " + system.bearer)
    connection.putheader("Content-Length", str(256 * MIB))
    connection.endheaders()
    connection.sock.settimeout(0.2)
    sent, block, stalled_since = 0, b"u" * 65536, None
    while sent < 256 * MIB and (stalled_since is None or time.monotonic() - stalled_since < 1):
        try:
            sent += connection.sock.send(block)
            stalled_since = None
        except TimeoutError:
            stalled_since = stalled_since or time.monotonic()
    assert sent < 32 * MIB, sent
    api.release()
    connection.sock.settimeout(60)
    while sent < 256 * MIB:
        sent += connection.sock.send(block[:256 * MIB - sent])
    assert json.loads(connection.getresponse().read())["body"] == 256 * MIB


def raise_descriptor_limit(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard) if hard > 0 else count, hard))


class Watches:
    """Many watches, each on a connection of its own, read by one loop."""

    def __init__(self, system, path, count):
        self.bytes = [b""] * count
        self.selector = selectors.DefaultSelector()
        head = (f"GET {PREFIX}{path} HTTP/1.1\r\nHost: localhost\r\n"
                f"Authorization: Bearer {system.bearer}\r\n\r\n").encode()
        self.sockets = []
        for i in range(count):
            # Without TLS, which kas takes from this machine: 2,000 handshakes are another test's subject.
            sock = socket.create_connection(("127.0.0.1", system.kas.port), 30)
            sock.sendall(head)
            sock.setblocking(False)
            self.sockets.append(sock)
            self.selector.register(sock, selectors.EVENT_READ, i)

    def seen(self, i):
        """Without the borders of chunks, which may be anywhere."""
        return re.sub(rb"\r\n[0-9a-f]+\r\n", b"", self.bytes[i])

    def until_all(self, text, seconds=60):
        end = time.monotonic() + seconds
        missing = {i for i in range(len(self.bytes)) if text not in self.seen(i)}
        while missing:
            assert time.monotonic() < end, f"{len(missing)} watches have not seen {text}; one has {self.bytes[min(missing)]}"
            for key, _ in self.selector.select(0.5):
                data = key.fileobj.recv(65536)
                assert data, f"watch {key.data} has ended: {self.bytes[key.data]}"
                self.bytes[key.data] += data
                if text in self.seen(key.data):
                    missing.discard(key.data)

    def close(self):
        for sock in self.sockets:
            sock.close()


def test_2000_watches_at_once_on_one_agent(connected, direct, namespace):
    raise_descriptor_limit(8192)
    here = direct.inside(namespace)
    agent, kas = connected.agents[0], connected.kas
    idle_memory = {"kas": kas.process.memory(), "agentk": agent.process.memory()}
    path = f"/api/v1/namespaces/{namespace}/configmaps?watch=true&labelSelector=test%3Dmany"
    start = time.monotonic()
    watches = Watches(connected, path, 2000)
    try:
        watches.until_all(b"200 OK")
        print(f"{time.monotonic() - start:.1f} s until all 2000 had begun")
        here.run("create", "-f", "-", input=json.dumps({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many", "labels": {"test": "many"}},
            "data": {"event": "the-first-event"}}).encode())
        watches.until_all(b"the-first-event")
        here.run("patch", "configmap", "many", "-p", '{"data": {"event": "the-second-event"}}')
        watches.until_all(b"the-second-event")
        assert kas.metrics()["kas_tunnels_busy"] == 2000
        start = time.monotonic()
        assert connected.request("/version")[0] == 200
        assert time.monotonic() - start < 2
        each = {"kas": kas.process.memory() - idle_memory["kas"], "agentk": agent.process.memory() - idle_memory["agentk"]}
        print({name: f"{value / 2000 / 1024:.1f} KiB a watch" for name, value in each.items()})
        assert all(value < 2000 * 64 * 1024 for value in each.values()), each
    finally:
        watches.close()
        here.run("delete", "configmap", "many", "--ignore-not-found")
    towline.wait_for(lambda: kas.metrics()["kas_tunnels_busy"] == 0, "the tunnels to be free", 10)


def test_the_configured_limit_of_requests_is_a_429_with_retry_after(tmp_path, api):
    system = towline.System(tmp_path, "--max-requests-per-agent", "5")
    try:
        api.released.clear()
        system.start_agent(api.kubeconfig())
        running = [open_request(system, "/hang") for _ in range(5)]
        towline.wait_for(lambda: api.counters.running == 5, "the requests to arrive")
        status, headers, body = system.request("/echo")
        assert status == 429 and int(headers["Retry-After"]) >= 1
        decoded = json.loads(body)
        assert decoded["reason"] == "TooManyRequests" and "5" in decoded["message"]
        drop(running[0])
        towline.wait_for(lambda: system.request("/echo")[0] == 200, "a place to be free", 2)
        api.release()
        for connection in running[1:]:
            assert connection.getresponse().status == 200
    finally:
        system.stop()
