"""Agents that mean harm, and thieves of their tokens: what they hold is counted, what they say is short, and what they
may do ends with their token, on every server of one database."""

import contextlib
import http.client
import struct
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

import postgres
import towline
import wire
from siege import *

KUBERNETES = "gitlab.agent.kubernetes_api.rpc.KubernetesApi"


@pytest.fixture(scope="module")
def proto():
    return wire.load()


@pytest.fixture(autouse=True)
def nothing_stays_open(monkeypatch):
    """Closes what a test has opened, also one that fails: calls that run would hold up the server's end."""
    opened, connect = [], Http2.__init__

    def connect_and_note(client, *arguments):
        connect(client, *arguments)
        opened.append(client)

    monkeypatch.setattr(Http2, "__init__", connect_and_note)
    yield
    for client in opened:
        client.close()


@pytest.fixture
def agent(system):
    """An agent of one's own: number, number of its token, token."""
    number = system.kas.register_agent(f"harm-{time.monotonic_ns()}")
    token = system.kas.agent_token(number)
    return number, token["id"], token["token"]


def framed(message):
    data = message if isinstance(message, bytes) else message.SerializeToString()
    return b"\0" + struct.pack(">I", len(data)) + data


def descriptor(proto, services=1, methods=1):
    request = proto.reverse_tunnel.ConnectRequest()
    for s in range(services):
        service = request.descriptor_.agent_descriptor.services.add(name=KUBERNETES if s == 0 else f"{KUBERNETES}{s}")
        for m in range(methods):
            service.methods.add(name="MakeRequest" if m == 0 else f"M{m}")
    return framed(request)


def revoke(kas, agent):
    path = f"/projects/{towline.quote(towline.PROJECT)}/cluster_agents/{agent[0]}/tokens/{agent[1]}"
    kas.api("DELETE", path, expect=204)


def ended(client, seconds=2):
    """That the server closes the connection in time."""
    client.sock.settimeout(seconds)
    client.events_until(lambda event: False, seconds + 1)
    return True


def pages(client):
    """Sends PING and waits for the answer: what was sent before has been looked at."""
    client.h2.ping(b"12345678")
    client.flush()
    client.events_until(lambda event: isinstance(event, h2.events.PingAckReceived))
    client.seen.clear()


# Rights that end.

def test_a_stream_whose_descriptor_is_held_back_ends_with_its_token(system, proto, agent):
    thief = Http2(system)
    for _ in range(3):
        grpc_call(thief, CONNECT, [], agent[2])
    configuration = Http2(system)
    stream = grpc_call(configuration, CONFIGURATION, [framed(b"")], agent[2])
    configuration.h2.end_stream(stream)
    configuration.flush()
    pages(thief)
    pages(configuration)
    revoke(system.kas, agent)
    assert ended(thief) and ended(configuration)
    again = Http2(system)
    stream = grpc_call(again, CONNECT, [descriptor(proto)], agent[2])
    assert grpc_status(again, stream) == UNAUTHENTICATED


@pytest.mark.parametrize("how", ["agent", "project"])
def test_what_an_agent_has_open_ends_with_the_agent_and_with_its_project(system, proto, how):
    name = f"doomed-{time.monotonic_ns()}"
    project = system.kas.create_project(name)
    number = system.kas.register_agent("a", project["path_with_namespace"])
    token = system.kas.agent_token(number, project["path_with_namespace"])["token"]
    client = Http2(system)
    grpc_call(client, CONNECT, [descriptor(proto)], token)
    grpc_call(client, CONNECT, [], token)
    pages(client)
    path = f"/projects/{project['id']}" + (f"/cluster_agents/{number}" if how == "agent" else "")
    assert system.kas.api("DELETE", path)[0] in (202, 204)
    assert ended(client)


def test_a_token_that_is_revoked_at_one_server_ends_at_the_other(tmp_path, proto):
    database = postgres.Postgres()
    servers = []
    try:
        url = database.create_database("shared")
        servers = [towline.Kas(tmp_path / name, database_url=url) for name in ("a", "b")]
        servers[0].create_project()
        number = servers[0].register_agent()
        token = servers[0].agent_token(number)
        other = type("There", (), {"kas": servers[1], "agent_token": token["token"]})
        offered, held = Http2(other), Http2(other)
        grpc_call(offered, CONNECT, [descriptor(proto)])
        grpc_call(held, CONNECT, [])
        pages(offered)
        pages(held)
        revoke(servers[0], (number, token["id"]))
        start = time.monotonic()
        assert ended(offered, 5) and ended(held, 5)
        assert time.monotonic() - start < 2
        again = Http2(other)
        assert grpc_status(again, grpc_call(again, CONNECT, [descriptor(proto)])) == UNAUTHENTICATED
        again.close()
    finally:
        for each in servers:
            each.stop()
        database.remove()


# Sizes.

@pytest.mark.parametrize("services, methods", [(65, 1), (1, 257), (700, 700)])
def test_a_descriptor_bomb_is_refused(system, proto, agent, services, methods):
    bomb = descriptor(proto, services, methods)
    with others_are_served(system):
        client = Http2(system)
        stream = grpc_call(client, CONNECT, [], agent[2])
        for at in range(0, min(len(bomb), 65535), 16384):
            with contextlib.suppress(h2.exceptions.ProtocolError):
                client.h2.send_data(stream, bomb[:65535][at:at + 16384])
        client.flush()
        assert grpc_status(client, stream) == TOO_MUCH


def test_what_an_agent_says_of_itself_is_short_and_printable(system, proto, agent):
    request = proto.agent_configuration.ConfigurationRequest()
    request.agent_meta.version = "v1\0\x1b[2J\u202e" + "v" * 9000
    request.agent_meta.commit_id = "c" * 9000
    request.agent_meta.pod_namespace = "n" * 9000
    request.agent_meta.pod_name = "p" * 9000
    client = Http2(system)
    stream = grpc_call(client, CONFIGURATION, [framed(request)[:16000], framed(request)[16000:32000],
                                               framed(request)[32000:]], agent[2])
    client.h2.end_stream(stream)
    client.flush()
    path = f"/projects/{towline.quote(towline.PROJECT)}/cluster_agents/{agent[0]}/connections"

    def told():
        return (system.kas.api("GET", path, expect=200)[1] or [None])[0]

    towline.wait_for(told, "the agent to be listed", 10)
    connection = told()
    assert len(connection["version"]) == 255 and connection["version"].startswith("v1??[2J?vvv"), connection
    assert all(len(value) <= 255 for value in connection.values() if isinstance(value, str)), connection
    line = [line for line in system.kas.process.log().splitlines() if '"v1??[2J' in line]
    assert line and len(line[0]) < 2000, line
    client.close()


@pytest.mark.parametrize("path", [CONFIGURATION, REGISTER])
def test_a_message_that_is_too_long_is_refused_by_its_prefix(system, agent, path):
    client = Http2(system)
    stream = grpc_call(client, path, [b"\0" + struct.pack(">I", 64 * 1024 + 1)], agent[2])
    assert grpc_status(client, stream) == TOO_MUCH


# Numbers.

def raw_connects(client, proto, token, count):
    """Opens many Connect streams at once, past the library's own account."""
    first = client.h2.get_next_available_stream_id()
    piece = descriptor(proto)
    out = b""
    for stream in range(first, first + 2 * count, 2):
        head = client.h2.encoder.encode([(":method", "POST"), (":path", CONNECT), (":scheme", "https"),
                                         (":authority", "localhost"), ("te", "trailers"),
                                         ("content-type", "application/grpc"), ("authorization", f"Bearer {token}")])
        out += frame(HEADERS, 4, stream, head) + frame(DATA, 0, stream, piece)
    client.sock.sendall(out)


def test_tunnels_and_connections_of_an_agent_are_counted(system, proto, agent):
    before = system.kas.metrics()["kas_tunnels_idle"]
    with others_are_served(system):
        clients = []
        for _ in range(4):
            client = Http2(system)
            clients.append(client)
            grpc_call(client, CONNECT, [descriptor(proto)], agent[2])
            pages(client)
            raw_connects(client, proto, agent[2], 200)
        towline.wait_for(lambda: system.kas.metrics()["kas_tunnels_idle"] >= before + 490, "tunnels", 10)
        assert system.kas.metrics()["kas_tunnels_idle"] <= before + 510
        statuses = []
        for _ in range(60):
            client = Http2(system)
            clients.append(client)
            stream = grpc_call(client, REGISTER, [framed(b"")], agent[2])
            client.h2.end_stream(stream)
            client.flush()
            statuses.append(grpc_status(client, stream))
        assert statuses.count(0) == 46 and statuses.count(TOO_MUCH) == 14, statuses
        for client in clients:
            client.close()
    towline.wait_for(lambda: system.kas.metrics()["kas_tunnels_idle"] <= before + 10, "the tunnels to end", 10)


# Strangers.

@pytest.mark.parametrize("path", [CONNECT, CONFIGURATION, REGISTER])
def test_a_stranger_is_refused_at_the_head_of_a_call(system, path):
    client = Http2(system)
    stream = grpc_call(client, path, [], token="wrong")
    assert grpc_status(client, stream) == UNAUTHENTICATED
    client.close()


def test_unfinished_bodies_of_strangers_take_no_memory(system):
    with others_are_served(system):
        clients = []
        for _ in range(4):
            client = Http2(system)
            clients.append(client)
            for i in range(100):
                grpc_call(client, REGISTER if i % 2 else CONFIGURATION, [], token=f"glagent-wrong-{i % 3}")
                with contextlib.suppress(h2.exceptions.ProtocolError, OSError):
                    stream = client.h2.highest_outbound_stream_id
                    client.h2.send_data(stream, b"\0" + struct.pack(">I", 60_000) + b"x" * 600)
                    client.flush()
        for client in clients:
            client.close()


def test_guessing_agent_tokens_is_slowed_down_and_those_that_are_known_go_on(system, proto, agent):
    known = Http2(system)
    grpc_call(known, CONNECT, [descriptor(proto)], agent[2])
    pages(known)
    client = Http2(system)
    statuses = []
    for i in range(250):
        statuses.append(grpc_status(client, grpc_call(client, REGISTER, [], token=f"guess-{i}")))
        client.seen.clear()
    assert set(statuses) == {UNAUTHENTICATED, TOO_MUCH}
    stream = grpc_call(known, REGISTER, [framed(b"")], agent[2])
    known.h2.end_stream(stream)
    known.flush()
    assert grpc_status(known, stream) == 0
    client.close()
    known.close()


# Web pages.

def test_a_web_page_may_not_open_a_tunnel(system):
    connection = http.client.HTTPSConnection("localhost", system.kas.port, context=system.kas.tls())
    connection.request("GET", "/-/kubernetes-agent/", headers={
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol": "ws-tunnel",
        "Origin": "https://page.example"})
    answer = connection.getresponse()
    assert answer.status == 403 and b"web pages" in answer.read()
    connection.close()


@pytest.mark.parametrize("path", ["/api/v4/version", "/", PREFIX + "/version", "/root/demo.git/info/refs"])
def test_a_websocket_leads_to_the_agents_calls_only(system, path):
    sock = websocket(system)
    tunnel = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    tunnel.initiate_connection()
    tunnel.send_headers(1, [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", "localhost"),
                            ("authorization", "Bearer " + system.bearer)], end_stream=True)
    data = tunnel.data_to_send()
    sock.sendall(b"\x82" + bytes([0x80 | 126]) + struct.pack(">H", len(data)) + b"\0\0\0\0" + data)
    status, buffer = None, b""
    while status is None:
        buffer += sock.recv(65536)
        while len(buffer) >= 2 and len(buffer) >= 2 + (buffer[1] & 127) and buffer[1] < 126:
            size = buffer[1]
            for event in tunnel.receive_data(buffer[2:2 + size]):
                if isinstance(event, h2.events.ResponseReceived):
                    status = dict(event.headers)[b":status"]
            buffer = buffer[2 + size:]
    assert status == b"415"
    sock.close()
