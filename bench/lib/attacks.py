"""What bench/hostile does to a server, each in a short form: enough to show what it costs, not to win."""

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
import zlib
from typing import Callable, NamedTuple, Optional

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

import siege
import towline
import upstream

MIB = 1 << 20
ADMIN = towline.Kas.TOKEN
CONNECT, CONFIGURATION = siege.CONNECT, siege.CONFIGURATION


class Scene:
    """kas, an API server and agentk, a user who is nobody, and a public project of his."""

    def __init__(self, folder, kas_flags=()):
        self.folder = folder
        self.ends = contextlib.ExitStack()
        self.api = upstream.Api(folder)
        self.ends.callback(self.api.stop)
        self.system = towline.System(folder, *kas_flags)
        self.ends.callback(self.stop_system)
        self.agent = self.system.start_agent(self.api.kubeconfig())
        self.user = self.user_token("nobody")

    def stop_system(self):
        for process in (self.system.kas.process, *(agent.process for agent in self.system.agents)):
            process.process.kill()
            process.process.wait()

    def end(self):
        self.ends.close()

    def user_token(self, name):
        kas = self.system.kas
        made = kas.api("POST", "/users", {"username": name, "name": name, "email": f"{name}@example.com",
                                          "password": "a-password-of-" + name}, expect=201)[1]
        return kas.api("POST", f"/users/{made['id']}/personal_access_tokens", {"name": "t", "scopes": ["api"]},
                       expect=201)[1]["token"]

    def project(self, name="own", **more):
        body = {"name": name, "visibility": "public", **more}
        self.system.kas.api("POST", "/projects", body, token=self.user, expect=201)
        return towline.quote(f"nobody/{name}")

    def processes(self):
        return {"kas": self.system.kas.process, "agentk": self.agent.process}

    def ask_proxy(self):
        return self.system.request("/echo", timeout=10)[0]

    def ask_api(self):
        return self.get("/api/v4/user", {"PRIVATE-TOKEN": ADMIN})

    def ask_git(self):
        basic = base64.b64encode(b"root:" + ADMIN.encode()).decode()
        return self.get(f"/{towline.PROJECT}.git/info/refs?service=git-upload-pack", {"Authorization": "Basic " + basic})

    def get(self, path, headers=None, timeout=10):
        request = urllib.request.Request(self.system.kas.url + path, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout, context=self.system.kas.tls()) as response:
                response.read()
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    def survives(self):
        """Whether both still serve, soon after."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if not all(process.running() for process in self.processes().values()):
                return False
            try:
                if self.ask_proxy() == 200 and self.ask_api() == 200 and self.ask_git() == 200:
                    return True
            except OSError:
                pass
            time.sleep(0.2)
        return False

    def push(self, path, pack, new, reference, old="0" * 40):
        """Pushes a pack as it is; returns the server's report."""
        line = f"{old} {new} {reference}\0 report-status\n".encode()
        body = f"{len(line) + 4:04x}".encode() + line + b"0000" + pack
        request = urllib.request.Request(f"{self.system.kas.url}/{path}.git/git-receive-pack", data=body, method="POST")
        request.add_header("Authorization", "Basic " + base64.b64encode(f"x:{self.user}".encode()).decode())
        request.add_header("Content-Type", "application/x-git-receive-pack-request")
        with urllib.request.urlopen(request, timeout=120, context=self.system.kas.tls()) as response:
            return response.read()


class Attack(NamedTuple):
    name: str
    title: str
    run: Callable
    prepare: Optional[Callable] = None
    kas_flags: tuple = ()


def at_once(count, function):
    """`function` in so many threads; returns how many have come back, in words."""
    results = []

    def one(number):
        try:
            results.append(function(number))
        except OSError as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=one, args=(i,), daemon=True) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(18)
    return f"{len(results)} of {count} came back: {sorted(set(map(str, results)))}"


class Peer(siege.Http2):
    """A client that sends as much as it may, and does not mind being thrown out."""

    def headers(self, method, path, extra=(), end=False):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost"),
                                      *extra], end_stream=end)
        self.flush()
        return stream

    def listen(self, seconds):
        """Takes what comes, and gives no credit for it; False when the connection is over."""
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return True
        if not data:
            return False
        self.h2.receive_data(data)
        self.flush()
        return True

    def pour(self, stream, data, seconds=1.0):
        """Sends until all is gone or the window stays shut; returns how much was sent."""
        at = 0
        try:
            while at < len(data):
                room = min(self.h2.local_flow_control_window(stream), 16384, len(data) - at)
                if room <= 0:
                    before = self.h2.local_flow_control_window(stream)
                    if not self.listen(seconds) or self.h2.local_flow_control_window(stream) <= before:
                        break
                    continue
                self.h2.send_data(stream, data[at:at + room])
                self.flush()
                at += room
        except (OSError, h2.exceptions.ProtocolError):
            pass
        return at


def field(number, data):
    """A field of bytes of a protobuf message."""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(data):
    return b"\0" + struct.pack(">I", len(data)) + data


def descriptor(methods=("MakeRequest",)):
    service = field(1, "gitlab.agent.kubernetes_api.rpc.KubernetesApi") + b"".join(field(2, field(1, m)) for m in methods)
    return message(field(1, field(1, field(1, service))))


def grpc_headers(token):
    return [("content-type", "application/grpc"), ("te", "trailers"), ("authorization", "Bearer " + token)]


# --- patterns and revisions

def prepare_patterns(scene):
    project = scene.project(initialize_with_readme=True)
    scene.system.kas.api("POST", f"/projects/{project}/protected_branches", {"name": "*a" * 12 + "*b"}, token=scene.user)
    return project


def patterns(scene):
    body = {"branch": "a" * 60, "start_branch": "main", "commit_message": "x", "content": "x"}
    return at_once(8, lambda i: scene.system.kas.api("POST", f"/projects/{scene.prepared}/repository/files/f{i}", body,
                                                     token=scene.user)[0])


def prepare_history(scene):
    project, folder = scene.project(), scene.folder / "history"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", folder], check=True)
    stream = ["blob\nmark :1\ndata 1\nx\n"]
    for i in range(20_000):
        text = "a" * 40 + "!"
        stream.append(f"commit refs/heads/main\nmark :{i + 2}\ncommitter a <a@b> {1_600_000_000 + i} +0000\n"
                      f"data {len(text)}\n{text}\n" + (f"from :{i + 1}\n" if i else "M 100644 :1 f\n") + "\n")
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input="".join(stream).encode(), check=True)
    url = scene.system.kas.url.replace("https://", f"https://x:{scene.user}@") + "/nobody/own.git"
    subprocess.run(["git", "-C", folder, "push", "-q", url, "main"], check=True, capture_output=True,
                   env={**os.environ, "GIT_SSL_CAINFO": str(scene.system.kas.ca_file)})
    return project


def revisions(scene):
    path = f"/api/v4/projects/{scene.prepared}/repository/commits/" + towline.quote(":/(a+)+$")
    return at_once(8, lambda _: scene.get(path, timeout=17))


# --- repositories

def objects_of(pack):
    """A pack of (kind, bytes), and one of them that is compressed already."""
    out = b"PACK" + struct.pack(">II", 2, len(pack))
    for kind, data, compressed in pack:
        size = len(data) if compressed is None else data
        byte, size = {"commit": 1, "tree": 2, "blob": 3}[kind] << 4 | size & 15, size >> 4
        head = b""
        while size:
            head, byte, size = head + bytes([byte | 128]), size & 127, size >> 7
        out += head + bytes([byte]) + (zlib.compress(data) if compressed is None else compressed)
    return out + hashlib.sha1(out).digest()


def named(kind, data):
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data).digest()


def commit_of(tree):
    return b"tree " + tree.hex().encode() + b"\nauthor a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\n\nx\n"


def prepare_trees(scene):
    project, below, mode, said = scene.project(), named("blob", b"x"), b"100644 a\0", []
    for step, depth in enumerate((16_000, 16_000, 8_000)):
        pack = [("blob", b"x", None)] if step == 0 else []
        for _ in range(depth):
            tree = mode + below
            pack.append(("tree", tree, None))
            below, mode = named("tree", tree), b"40000 a\0"
        commit = commit_of(below)
        pack.append(("commit", commit, None))
        said.append(scene.push("nobody/own", objects_of(pack), named("commit", commit).hex(), f"refs/heads/b{step}")[:60])
    return project


def trees(scene):
    path = f"/api/v4/projects/{scene.prepared}/repository/tree?recursive=true&per_page=1&ref=b2"
    return at_once(2, lambda _: scene.get(path, timeout=17))


def prepare_bomb(scene, size=768 * MIB):
    project = scene.project()
    hashing, packing, compressed = hashlib.sha1(f"blob {size}\0".encode()), zlib.compressobj(6), b""
    for _ in range(size // MIB):
        hashing.update(bytes(MIB))
        compressed += packing.compress(bytes(MIB))
    blob = hashing.digest()
    tree = b"100644 f\0" + blob
    commit = commit_of(named("tree", tree))
    pack = [("blob", size, compressed + packing.flush()), ("tree", tree, None), ("commit", commit, None)]
    scene.push("nobody/own", objects_of(pack), named("commit", commit).hex(), "refs/heads/main")
    return project


def bomb(scene):
    return at_once(4, lambda _: scene.get(f"/api/v4/projects/{scene.prepared}/repository/files/f/raw?ref=main", timeout=17))


# --- bodies, answers

def unfinished(path, extra):
    def run(scene):
        peer, sent = Peer(scene.system), 0
        for _ in range(40):
            try:
                sent += peer.pour(peer.headers("POST", path, extra), b" " * (9 * MIB), 0.5)
            except (OSError, h2.exceptions.ProtocolError):
                break
        time.sleep(1)
        return f"{sent / MIB:.0f} MiB were taken"
    return run


def prepare_file(scene):
    project, data = scene.project(), bytes(31 * MIB)
    blob = named("blob", data)
    tree = b"100644 f\0" + blob
    commit = commit_of(named("tree", tree))
    pack = objects_of([("blob", data, None), ("tree", tree, None), ("commit", commit, None)])
    scene.push("nobody/own", pack, named("commit", commit).hex(), "refs/heads/main")
    return project


def unread(scene):
    peer = Peer(scene.system)
    peer.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
    peer.flush()
    peer.listen(1)
    for _ in range(40):
        peer.headers("GET", f"/api/v4/projects/{scene.prepared}/repository/files/f/raw?ref=main", end=True)
    end = time.monotonic() + 10
    while time.monotonic() < end and peer.listen(0.5):
        pass
    return ""


# --- agents

def self_description(scene):
    peer, calls = Peer(scene.system), 0
    large = "v" * (3 * MIB)
    for number in range(10):
        meta = field(1, f"{number}{large}") + field(2, large) + field(4, large)
        try:
            stream = peer.headers("POST", CONFIGURATION, grpc_headers(scene.system.agent_token))
            calls += 1 if peer.pour(stream, message(field(2, meta))) > 9 * MIB else 0
            peer.h2.end_stream(stream)
            peer.flush()
            peer.listen(0.3)
        except (OSError, h2.exceptions.ProtocolError):
            break
    files = scene.system.kas.folder / "data"
    grown = sum(path.stat().st_size for path in files.glob("towline.db*"))
    return f"{calls} calls were read; the database has {grown / MIB:.0f} MiB"


def descriptors(scene):
    peer = Peer(scene.system)
    service = field(1, "s") + field(2, field(1, "m")) * 1_200_000
    large = message(field(1, field(1, field(1, service))))
    sent = 0
    for _ in range(3):
        try:
            sent += peer.pour(peer.headers("POST", CONNECT, grpc_headers(scene.system.agent_token)), large)
        except (OSError, h2.exceptions.ProtocolError):
            break
    time.sleep(2)
    return f"{sent / MIB:.0f} MiB were taken"


def tunnels(scene):
    peers, opened = [], 0
    for _ in range(4):
        try:
            peer = Peer(scene.system)
            peers.append(peer)
            for _ in range(3000):
                stream = peer.h2.get_next_available_stream_id()
                peer.h2.send_headers(stream, [(":method", "POST"), (":path", CONNECT), (":scheme", "https"),
                                              (":authority", "localhost"), *grpc_headers(scene.system.agent_token)])
                peer.h2.send_data(stream, descriptor())
                opened += 1
                if opened % 64 == 0:
                    peer.flush()
                    peer.listen(0.001)
        except (OSError, h2.exceptions.ProtocolError):
            continue
    idle = scene.system.kas.metrics()["kas_tunnels_idle"]
    for peer in peers:
        peer.close()
    time.sleep(2)
    return f"{opened} were asked for, {idle:.0f} were open"


# --- Git's places, connections

def prepare_slots(scene):
    return scene.project(initialize_with_readme=True)


def slots(scene):
    socks = []
    for _ in range(40):
        sock = scene.system.kas.connect(["http/1.1"])
        sock.sendall(b"POST /nobody/own.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                     b"Content-Type: application/x-git-upload-pack-request\r\n\r\n1\r\n0\r\n")
        socks.append(sock)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(2)
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.sendall(b"1\r\n0\r\n")
    return ""


def silence(scene):
    socks = [socket.create_connection(("127.0.0.1", scene.system.kas.port)) for _ in range(400)]
    time.sleep(8)
    return f"{len(socks)} silent connections"


# --- the agent's side

class ResettingApi:
    """Answers the first request of each connection and resets the streams of all others."""

    def __init__(self, scene):
        self.count = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(scene.api.folder / "cert.pem", scene.api.folder / "key.pem")
        context.set_alpn_protocols(["h2"])
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, raw):
        connection, first = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False)), True
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            sock = self.context.wrap_socket(raw, server_side=True)
            connection.initiate_connection()
            sock.sendall(connection.data_to_send())
            while data := sock.recv(65536):
                for event in connection.receive_data(data):
                    if not isinstance(event, h2.events.RequestReceived):
                        continue
                    self.count += 1
                    if first:
                        first = False
                        connection.send_headers(event.stream_id, [(":status", "200"), ("content-length", "2")])
                        connection.send_data(event.stream_id, b"ok", end_stream=True)
                    else:
                        connection.reset_stream(event.stream_id, error_code=7)
                sock.sendall(connection.data_to_send())


def prepare_resets(scene):
    api = ResettingApi(scene)
    text = scene.api.kubeconfig().read_text().replace(f":{scene.api.port}", f":{api.port}")
    path = scene.folder / "resetting.kubeconfig"
    path.write_text(text)
    scene.system.kas.create_project("resets")
    scene.system.kas.write_config("user_access:\n  access_as:\n    agent: {}\n  projects:\n    - id: root/resets\n",
                                  project="root/resets")
    agent_id = scene.system.kas.register_agent(project="root/resets")
    token = scene.system.kas.agent_token(agent_id, project="root/resets")["token"]
    agent = towline.Agentk(scene.folder, scene.system.address("wss"), token, path, ca_file=scene.system.kas.ca_file)
    scene.system.agents.append(agent)
    agent.wait_ready()
    scene.agent = agent
    bearer = f"pat:{agent_id}:{scene.system.token}"
    assert scene.system.request("/first", token=bearer)[0] == 200
    return api, bearer


def resets(scene):
    api, bearer = scene.prepared
    with contextlib.suppress(OSError):
        scene.system.request("/api/v1/namespaces/x", method="DELETE", token=bearer, timeout=8)
    return f"one DELETE was made {api.count - 1} times at the API"


def long_url(scene):
    query = "a" + ",".join(str(i) for i in range(12_000))
    with contextlib.suppress(OSError):
        return f"answered {scene.system.request('/echo?labelSelector=' + query, timeout=10)[0]}"
    return "no answer"


ALL = [
    Attack("patterns", "rules for branches with many stars, by a user", patterns, prepare_patterns),
    Attack("revisions", "regular expressions for revisions, by a stranger", revisions, prepare_history),
    Attack("trees", "40,000 nested folders in a repository", trees, prepare_trees),
    Attack("bomb", "a file of 768 MiB that was pushed as 0.7", bomb, prepare_bomb),
    Attack("bodies", "40 unfinished bodies of 9 MiB for the API, by a stranger",
           unfinished("/api/v4/session", [("content-type", "application/json")])),
    Attack("messages", "40 unfinished messages of 9 MiB by gRPC, by a stranger",
           unfinished(CONFIGURATION, grpc_headers("glagent-nobody"))),
    Attack("unread", "40 answers of 31 MiB that nobody reads, by a stranger", unread, prepare_file),
    Attack("descriptions", "10 agents' descriptions of 9 MiB", self_description),
    Attack("descriptors", "tunnels that offer a million methods", descriptors),
    Attack("tunnels", "12,000 tunnels by one token, closed at once", tunnels),
    Attack("slots", "40 requests of Git that trickle, by a stranger", slots, prepare_slots),
    Attack("silence", "400 silent connections, of 300 that may be", silence, None, ("--max-connections", "300")),
    Attack("resets", "an API that resets streams", resets, prepare_resets),
    Attack("long-url", "a request of 70 KB through the agent", long_url),
]
