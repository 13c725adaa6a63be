"""What the hostile programs share: peers that speak any bytes, and the check that everybody else is served meanwhile."""

import base64
import contextlib
import os
import socket
import ssl
import struct
import threading
import time

import h2.config
import h2.connection
import h2.events

import towline

PREFIX = "/-/kubernetes-agent/k8s-proxy"
MIB = 1 << 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, HEADERS, RST, WINDOW_UPDATE, CONTINUATION, DATA = 4, 6, 7, 1, 3, 8, 9, 0


@contextlib.contextmanager
def others_are_served(system, growth=16 * MIB):
    """Meanwhile ordinary requests on new connections pass, each in time; kas hardly grows, and does not end."""
    assert system.request("/echo")[0] == 200
    process = system.kas.process
    process.reset_peak()
    before, stop, seen = process.memory(), threading.Event(), []

    def ask():
        while not stop.wait(0.05):
            start = time.monotonic()
            try:
                status = system.request("/echo", timeout=10)[0]
            except OSError as error:
                status = error
            seen.append((time.monotonic() - start, status))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield
    finally:
        stop.set()
        asker.join(30)
    assert process.running(), process.log()[-3000:]
    assert system.request("/echo")[0] == 200
    wrong = [each for each in seen if each[1] != 200 or each[0] > 5]
    assert not wrong, wrong[:5]
    grown = process.memory("VmHWM") - before
    print(f"kas grew by {grown / MIB:.1f} MiB; {len(seen)} others, slowest {max(seen, default=(0,))[0]:.2f} s")
    if not towline.SANITIZED:
        assert grown < growth


def for_a_while(seconds=1.0):
    """Rounds of an attack that would be over too soon to disturb anybody."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def cleartext(system):
    sock = socket.create_connection(("127.0.0.1", system.kas.port), 30)
    sock.settimeout(30)
    return sock


def read_all(sock, seconds=30):
    """All until the peer closes; fails when it does not."""
    sock.settimeout(seconds)
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return data


def send_until_closed(sock, data, times=1):
    """Sends as long as the peer takes it; returns how often it did."""
    for i in range(times):
        try:
            sock.sendall(data)
        except OSError:
            return i
    return times


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def frames_in(data):
    """(type, flags, stream, payload) of each whole frame."""
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        yield data[3], data[4], int.from_bytes(data[5:9], "big"), data[9:9 + size]
        data = data[9 + size:]


def goaway_code(data):
    for kind, _, _, payload in frames_in(data):
        if kind == GOAWAY:
            return int.from_bytes(payload[4:8], "big")
    return None


class Http2:
    """An h2 connection of its own over TLS."""

    def __init__(self, system):
        self.system = system
        self.sock = system.kas.connect(["h2"])
        self.sock.settimeout(30)
        self.seen = []
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.decoder.max_header_list_size = 4 * MIB  # what an answer may be is the server's matter here
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def request(self, path="/echo", end=True, extra=()):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [(":method", "GET" if end else "POST"), (":path", PREFIX + path),
                                      (":scheme", "https"), (":authority", "localhost"),
                                      ("authorization", "Bearer " + self.system.bearer), *extra], end_stream=end)
        return stream

    def events_until(self, wanted, seconds=30):
        """Reads until there is an event for which wanted(event) is true, or the connection ends; returns all so far."""
        seen, end = self.seen, time.monotonic() + seconds
        while True:
            assert time.monotonic() < end, seen[-5:]
            try:
                data = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            if not data:
                return seen
            events = self.h2.receive_data(data)
            seen.extend(events)
            if any(wanted(event) for event in events):
                return seen

    def close(self):
        self.sock.close()


def grpc_call(client, path, messages, token=None, extra=()):
    """Opens a gRPC call with raw bytes as messages; returns the stream's number."""
    stream = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream, [
        (":method", "POST"), (":path", path), (":scheme", "https"), (":authority", "localhost"), ("te", "trailers"),
        ("content-type", "application/grpc"), ("authorization", f"Bearer {token or client.system.agent_token}"), *extra])
    for message in messages:
        client.h2.send_data(stream, message)
    client.flush()
    return stream


def grpc_status(client, stream):
    """The status of a call that ends: from trailers, or None where the stream was reset."""
    ending = (h2.events.TrailersReceived, h2.events.StreamReset, h2.events.StreamEnded, h2.events.ConnectionTerminated)
    def wanted(event):
        return isinstance(event, ending) and getattr(event, "stream_id", stream) == stream

    seen = client.seen if any(wanted(event) for event in client.seen) else client.events_until(wanted)
    for event in seen:
        if isinstance(event, (h2.events.TrailersReceived, h2.events.ResponseReceived)) and event.stream_id == stream:
            status = dict(event.headers).get(b"grpc-status")
            if status is not None:
                return int(status)
    return None


CONNECT = "/gitlab.agent.reverse_tunnel.rpc.ReverseTunnel/Connect"
REGISTER = "/gitlab.agent.agent_registrar.rpc.AgentRegistrar/Register"
CONFIGURATION = "/gitlab.agent.agent_configuration.rpc.AgentConfiguration/GetConfiguration"
INVALID, UNKNOWN_METHOD, TOO_MUCH, UNAUTHENTICATED = 3, 12, 8, 16


def websocket(system):
    sock = cleartext(system)
    key = base64.b64encode(os.urandom(16)).decode()
    sock.sendall((f"GET /-/kubernetes-agent/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                  f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: ws-tunnel\r\n\r\n"
                  ).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(1)
        assert piece, head
        head += piece
    assert head.startswith(b"HTTP/1.1 101"), head
    return sock
