"""10,000 requests cancelled at random moments leave nothing behind."""

import random
import selectors
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

import towline

PREFIX = "/-/kubernetes-agent/k8s-proxy"
MIB = 1 << 20


class Level:
    """What kas and agentk hold at a moment."""

    NAMES = ("kas_tunnels_busy", "kas_calls_waiting", "kas_connections")

    def __init__(self, system, agent):
        metrics = system.kas.metrics()
        self.values = {name: metrics[name] for name in self.NAMES}
        self.values["kas descriptors"] = system.kas.process.descriptors()
        self.values["agentk descriptors"] = agent.process.descriptors()
        self.memory = {"kas": system.kas.process.memory(), "agentk": agent.process.memory()}


def at_rest(system, api):
    """Waits until no request runs anywhere and only the agent is connected."""
    api.wait_idle(30)

    def quiet():
        metrics = system.kas.metrics()
        return metrics["kas_tunnels_busy"] == metrics["kas_calls_waiting"] == 0 and metrics["kas_connections"] == 1

    try:
        towline.wait_for(quiet, "everything to be given back", 30)
    except AssertionError:
        raise AssertionError(f"not given back: {system.kas.metrics()}") from None


def same_level(warm, system, agent):
    """Waits until no more descriptors are open than at `warm`, but for connections that the agent keeps for reuse."""

    def back():
        now = Level(system, agent).values
        kept = now.pop("agentk descriptors") - warm.values["agentk descriptors"]
        return kept <= 16 and all(now[name] <= warm.values[name] for name in now)

    try:
        towline.wait_for(back, "the level of before", 30)
    except AssertionError:
        raise AssertionError(f"before {warm.values}, now {Level(system, agent).values}") from None


def http1_round(system, paths, count, seed, tls):
    """`count` requests, each on a connection of its own that is closed after a random time."""
    choice = random.Random(seed)
    context = system.kas.tls() if tls else None
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", system.kas.port), 30)
        try:
            if tls:
                sock = context.wrap_socket(sock, server_hostname="localhost")
            method, path = choice.choice(paths)
            body = b"x" * choice.choice((0, 10, 5000)) if method == "POST" else b""
            head = (f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {system.bearer}\r\n"
                    + (f"Content-Length: {len(body) + choice.choice((0, 5000))}\r\n" if method == "POST" else "")
                    + "\r\n").encode()
            whole = head + body
            sock.sendall(whole[:choice.choice((len(head), len(whole), choice.randrange(1, len(whole))))])
            # The random moment: before, during and after the answer.
            sock.settimeout(choice.choice((0.0001, 0.001, 0.003, 0.01, 0.02)))
            try:
                sock.recv(choice.choice((1, 100, 65536)))
            except (TimeoutError, ssl.SSLError, BlockingIOError):
                pass
            if choice.random() < 0.3:
                # An abort in place of an orderly end.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        except OSError:
            pass
        finally:
            sock.close()


def http2_round(system, paths, count, seed):
    """`count` requests on HTTP/2 connections, up to 50 at once on each, reset at random moments."""
    choice = random.Random(seed)
    done = 0
    while done < count:
        sock = system.kas.connect(["h2"])
        selector = selectors.DefaultSelector()
        selector.register(sock, selectors.EVENT_READ)
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        open_streams = []
        try:
            for _ in range(min(250, count - done)):
                stream = connection.get_next_available_stream_id()
                method, path = choice.choice(paths)
                connection.send_headers(stream, [
                    (":method", method), (":path", PREFIX + path), (":scheme", "https"), (":authority", "localhost"),
                    ("authorization", "Bearer " + system.bearer)], end_stream=method == "GET")
                open_streams.append(stream)
                done += 1
                # Reset as fast as streams are opened, but not faster than the limit for hostile peers allows.
                while len(open_streams) > choice.randrange(50):
                    victim = open_streams.pop(choice.randrange(len(open_streams)))
                    try:
                        connection.reset_stream(victim, h2.errors.ErrorCodes.CANCEL)
                    except h2.exceptions.StreamClosedError:
                        pass  # it has had its whole answer
                sock.sendall(connection.data_to_send())
                if selector.select(choice.choice((0, 0, 0.002, 0.01))) or sock.pending():
                    data = sock.recv(65536)
                    if not data:
                        break
                    for event in connection.receive_data(data):
                        if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        except OSError:
            pass
        except h2.exceptions.ProtocolError:
            pass
        finally:
            sock.close()


def run_all(system, paths, total):
    """`total` requests: half on HTTP/1.1, a tenth of all with TLS on it, the rest on HTTP/2."""
    threads = []
    for i in range(5):
        threads.append(threading.Thread(target=http1_round, args=(system, paths, total // 10, i, i == 0)))
        threads.append(threading.Thread(target=http2_round, args=(system, paths, total // 10, 100 + i)))
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
        assert not thread.is_alive()
    print(f"{total} requests in {time.monotonic() - start:.0f} s")


def test_10000_cancelled_requests_leave_nothing_behind(system, api):
    agent = system.start_agent(api.kubeconfig())
    paths = [("GET", "/echo"), ("GET", "/hang"), ("GET", "/endless"), ("GET", "/chunks?n=20&each=0.005"),
             ("POST", "/echo"), ("GET", "/chunks?n=3&each=0")]
    assert system.request("/echo")[0] == 200
    run_all(system, paths, 3000)  # fills pools and caches, which is no loss
    at_rest(system, api)
    warm = Level(system, agent)
    run_all(system, paths, 7000)
    at_rest(system, api)
    same_level(warm, system, agent)
    assert system.request("/echo")[0] == 200
    after = Level(system, agent)
    growth = {name: after.memory[name] - warm.memory[name] for name in after.memory}
    print({name: f"{value / MIB:.1f} MiB" for name, value in growth.items()})
    if not towline.SANITIZED:
        assert all(value < 8 * MIB for value in growth.values()), growth


def test_cancelled_watches_and_execs_of_the_real_cluster_leave_nothing_behind(connected, cluster, pod, namespace):
    """The same with what a cluster has: lists, watches, logs, and upgrades that are cut off."""
    agent = connected.agents[0]

    def metrics():
        return connected.kas.metrics()

    assert connected.request("/version")[0] == 200
    core = f"/api/v1/namespaces/{namespace}"
    paths = [("GET", "/version"), ("GET", core + "/configmaps?watch=true"), ("GET", core + "/pods"),
             ("GET", f"{core}/pods/{pod}/log?follow=true"), ("GET", "/openapi/v2")]
    towline.wait_for(lambda: metrics()["kas_connections"] == 1, "the agent to be alone")
    run_all(connected, paths, 1000)
    choice = random.Random(1)
    for _ in range(100):
        sock = connected.kas.connect()
        sock.sendall((f"GET {PREFIX}{core}/pods/{pod}/exec?command=cat&stdin=true&stdout=true HTTP/1.1\r\n"
                      "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n"
                      f"Authorization: Bearer {connected.bearer}\r\n\r\n").encode())
        sock.settimeout(choice.choice((0.001, 0.01, 0.05)))
        try:
            sock.recv(4096)
        except (TimeoutError, ssl.SSLError):
            pass
        sock.close()
    towline.wait_for(lambda: metrics()["kas_tunnels_busy"] == 0 and metrics()["kas_calls_waiting"] == 0,
                     "the tunnels to be free", 30)
    towline.wait_for(lambda: metrics()["kas_connections"] == 1, "the connections to be closed", 30)
    assert connected.request("/version")[0] == 200
    assert agent.process.running()
