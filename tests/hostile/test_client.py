"""Clients that mean harm: each meets a limit, memory stays flat, and everybody else is served meanwhile."""

import base64
import contextlib
import gzip
import json
import random
import re
import select
import socket
import ssl
import struct
import time

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import pytest

import towline
from siege import *


# Bytes that are no protocol.

@pytest.mark.parametrize("tls", [False, True], ids=["cleartext", "tls"])
def test_garbage_is_answered_by_an_end(system, tls):
    choice = random.Random(7)
    with others_are_served(system):
        for i in range(200):
            sock = system.kas.connect() if tls else cleartext(system)
            garbage = choice.randbytes(choice.randrange(1, 20_000))
            if not tls and i % 2:
                garbage = b"\x16\x03\x01" + garbage  # as if it were TLS
            send_until_closed(sock, garbage)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)
            read_all(sock)
            sock.close()


@pytest.mark.parametrize("request_bytes, statuses", [
    (b"GET / HTTP/1.1\r\n\r\n", (400,)),                                                      # no Host
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", (400,)),
    (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", (400, 505)),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", (400,)),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", (400,)),
    (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", (400,)),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", (400,)),
    (b"POST /api/v4/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    (b"POST /api/v4/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", (400,)),
    (b"POST /api/v4/projects HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", (400,)),
    (b"POST /api/v4/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", (400, 413)),
    (b"POST /api/v4/projects HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", (400, 501)),
    (b"GET /" + b"a" * 1_100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (400, 414, 431)),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1_100_000 + b"\r\n\r\n", (431,)),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(1200)) + b"\r\n", (431,)),
])
def test_a_malformed_or_oversized_head_is_refused_and_the_connection_ends(system, request_bytes, statuses):
    sock = cleartext(system)
    send_until_closed(sock, request_bytes)
    answer = read_all(sock)
    sock.close()
    assert answer.startswith(b"HTTP/1.1 ") and int(answer[9:12]) in statuses, answer[:200]
    status = json.loads(answer.split(b"\r\n\r\n", 1)[1])  # as kubectl prints it
    assert (status["kind"], status["code"]) == ("Status", int(answer[9:12])) and status["message"]


def test_a_large_head_passes_and_many_at_once_wait_their_turn(system):
    """As much as a Kubernetes API server takes; but not from everybody at once."""
    with others_are_served(system, 32 * MIB):
        sock = cleartext(system)
        sock.sendall(b"GET /api/v4/version HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n")
        assert int(read_all(sock)[9:12]) not in (431, 503)
        socks = [cleartext(system) for _ in range(100)]
        for sock in socks:
            with contextlib.suppress(OSError):
                sock.sendall(b"GET /api/v4/version HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 300_000)
        time_over = time.monotonic() + 30
        refused = 0
        while refused < 36 and time.monotonic() < time_over:  # of 100, a host collects 64
            ready, _, _ = select.select(socks, [], [], 1)
            for sock in ready:
                answer = read_all(sock, 5)
                assert answer == b"" or answer.startswith((b"HTTP/1.1 503 ", b"HTTP/1.1 408 ")), answer[:100]
                refused += answer.startswith(b"HTTP/1.1 503 ")
                socks.remove(sock)
        assert refused >= 36
        for sock in socks:
            sock.close()


def test_what_follows_a_malformed_body_is_no_request(system):
    """Request smuggling: the second request must not be seen."""
    sock = cleartext(system)
    send_until_closed(sock, b"POST /api/v4/projects HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                            b"zz\r\nGET /api/v4/version HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_all(sock).count(b"HTTP/1.1 ") <= 1
    sock.close()


def test_headers_without_end_take_no_memory(system):
    with others_are_served(system):
        for _ in range(20):
            sock = cleartext(system)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
            taken = send_until_closed(sock, b"X-Long: " + b"y" * 60_000 + b"\r\n", 200)
            assert taken < 200
            sock.close()


# HTTP/2 at its limits.

def test_headers_beyond_the_limit_end_the_stream_or_the_connection(system):
    client = Http2(system)
    extra = [(f"x-{i}", os.urandom(3000).hex()) for i in range(200)]  # 1.2 MB that HPACK hardly shrinks
    try:
        stream = client.request(extra=extra)
        client.flush()
    except OSError:
        return
    seen = client.events_until(lambda e: isinstance(e, (h2.events.ResponseReceived, h2.events.StreamReset,
                                                        h2.events.ConnectionTerminated)))
    answer = [e for e in seen if isinstance(e, h2.events.ResponseReceived)]
    assert not answer or dict(answer[0].headers)[b":status"] == b"431"
    assert stream
    client.close()


@pytest.mark.parametrize("name, value", [("authorization", "Bearer glpat-wrong "), ("x-tab", "\tx"),
                                         ("x-blank", " "), ("x-latin", "caf\u00e9")])
def test_a_blank_or_a_foreign_letter_in_a_field_is_answered(system, name, value):
    """A reset in place of an answer makes honest clients ask again and again."""
    with contextlib.closing(Http2(system)) as client:
        client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "GET"), (":path", "/api/v4/version"), (":scheme", "https"),
                                        (":authority", "localhost"), (name, value.encode("latin-1"))], end_stream=True)
        client.flush()
        seen = client.events_until(lambda e: isinstance(e, (h2.events.ResponseReceived, h2.events.StreamReset)))
        assert any(isinstance(e, h2.events.ResponseReceived) for e in seen), seen


def test_a_control_character_in_a_field_is_answered_by_400(system):
    with contextlib.closing(Http2(system)) as client:
        client.h2.config.validate_outbound_headers = client.h2.config.normalize_outbound_headers = False
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "GET"), (":path", "/api/v4/version"), (":scheme", "https"),
                                        (":authority", "localhost"), ("x", b"a\r\nb: c")], end_stream=True)
        client.flush()
        seen = client.events_until(lambda e: isinstance(e, (h2.events.ResponseReceived, h2.events.StreamReset)))
        assert [dict(e.headers)[b":status"] for e in seen if isinstance(e, h2.events.ResponseReceived)] == [b"400"]


def test_continuation_frames_without_end_are_cut_off(system):
    piece = b"".join(b"\x00\x08%08x\x7f\x81\x01" % i + b"v" * 256 for i in range(50))
    with others_are_served(system):
        for _ in for_a_while():
            sock = system.kas.connect(["h2"])
            sock.sendall(PREFACE + frame(SETTINGS) + frame(HEADERS, 0, 1, b"\x00\x01a\x01b"))
            taken = send_until_closed(sock, frame(CONTINUATION, 0, 1, piece), 5000)
            assert taken < 5000
            sock.close()


@pytest.mark.parametrize("bytes_after_preface, code", [
    (frame(DATA, 0, 1, b"x"), h2.errors.ErrorCodes.PROTOCOL_ERROR),                      # no such stream
    (frame(HEADERS, 4, 2, b"\x82"), h2.errors.ErrorCodes.PROTOCOL_ERROR),                # the server's number
    (frame(HEADERS, 4, 1, b"\xff\xff\xff\xff\xff\xff"), h2.errors.ErrorCodes.COMPRESSION_ERROR),
    (b"\xff\xff\xff" + bytes([DATA, 0]) + b"\0\0\0\1", h2.errors.ErrorCodes.FRAME_SIZE_ERROR),   # 16 MiB
    (frame(SETTINGS, 0, 0, b"\0" * 5), h2.errors.ErrorCodes.FRAME_SIZE_ERROR),
    (frame(PING, 0, 0, b"short"), h2.errors.ErrorCodes.FRAME_SIZE_ERROR),
    (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), h2.errors.ErrorCodes.FLOW_CONTROL_ERROR),
])
def test_a_broken_rule_of_http2_ends_the_connection_by_name(system, bytes_after_preface, code):
    sock = system.kas.connect(["h2"])
    send_until_closed(sock, PREFACE + frame(SETTINGS) + bytes_after_preface)
    got = goaway_code(read_all(sock))
    sock.close()
    assert got in (code, h2.errors.ErrorCodes.PROTOCOL_ERROR), got


def test_more_streams_than_allowed_are_refused_and_the_others_run(system, api):
    api.released.clear()
    with others_are_served(system):
        client = Http2(system)
        client.events_until(lambda e: isinstance(e, h2.events.RemoteSettingsChanged))
        allowed = client.h2.remote_settings.max_concurrent_streams
        assert allowed <= 1000
        # The library would keep the limit; this peer does not.
        client.h2.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1 << 20
        client.h2.remote_settings.acknowledge()
        for _ in range(allowed + 300):  # once the first is known to be a user's, more are allowed
            client.request("/hang")
        client.flush()
        # RFC 9113, section 5.1.2: an error of the streams, or of the connection.
        refused, ended = [], []

        def enough(event):
            if isinstance(event, h2.events.StreamReset):
                refused.append(event.error_code)
            if isinstance(event, h2.events.ConnectionTerminated):
                ended.append(event.error_code)
            return ended or len(refused) >= 100

        client.events_until(enough)
        assert ended == [h2.errors.ErrorCodes.PROTOCOL_ERROR] or set(refused) == {h2.errors.ErrorCodes.REFUSED_STREAM}
        client.close()
    api.release()
    api.wait_idle()


def test_rapid_reset_ends_the_connection(system):
    with others_are_served(system):
        for _ in for_a_while():
            client = Http2(system)
            opened = 0
            with contextlib.suppress(OSError):
                while opened < 50_000:
                    for _ in range(50):
                        client.h2.reset_stream(client.request(), h2.errors.ErrorCodes.CANCEL)
                    client.flush()
                    opened += 50
            assert opened < 50_000
            client.close()
    # The agent resets what its callers cancel; that must not count against the agent.
    assert '"agent disconnected"' not in system.kas.process.log()


@pytest.mark.parametrize("flood", [frame(PING, 0, 0, b"12345678"), frame(SETTINGS), frame(SETTINGS, 0, 0, b"\0\3\0\0\0\1"),
                                   frame(7 + 3, 0, 0, b"x"), frame(2, 0, 5, b"\0\0\0\0\x10")],
                         ids=["ping", "settings", "settings-changes", "unknown-frames", "priority"])
def test_a_flood_of_frames_that_is_never_read_takes_no_memory(system, flood):
    with others_are_served(system):
        for _ in for_a_while():
            sock = system.kas.connect(["h2"])
            sock.settimeout(1)
            sock.sendall(PREFACE + frame(SETTINGS))
            # Bounded, in case the peer goes on reading, which it may where no answer is due.
            send_until_closed(sock, flood * 1000, 1000)
            sock.close()


def test_empty_data_frames_without_end_do_not_harm(system):
    with others_are_served(system):
        client = Http2(system)
        stream = client.request("/echo", end=False)
        client.flush()
        send_until_closed(client.sock, frame(DATA, 0, stream) * 1000, 300)
        client.close()


def test_a_client_that_gives_no_window_costs_a_window(system, api):
    with others_are_served(system), contextlib.closing(Http2(system)) as client:
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        for _ in range(100):
            client.request("/endless")
        client.flush()
        heads = []
        client.events_until(lambda e: isinstance(e, h2.events.ResponseReceived) and (heads.append(1) or len(heads) == 100))
    api.wait_idle()


def test_strangers_that_read_no_answer_cost_little(system):
    """The page's files, asked for a thousand times and never read."""
    sock = cleartext(system)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    page = read_all(sock).decode()
    assets = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))"', page)
    assert assets, page
    # Ten connections, each with the 4 MiB of Limits::stranger_unsent at the most.
    with others_are_served(system, growth=44 * MIB):
        clients = [Http2(system) for _ in range(10)]
        for client in clients:
            client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
            for i in range(100):
                stream = client.h2.get_next_available_stream_id()
                client.h2.send_headers(stream, [(":method", "GET"), (":path", assets[i % len(assets)]), (":scheme", "https"),
                                                (":authority", "localhost")], end_stream=True)
            client.flush()
        for client in clients:
            heads = []
            client.events_until(lambda e: isinstance(e, h2.events.ResponseReceived) and (heads.append(1) or len(heads) >= 50))
        for client in clients:
            client.close()


# Those who take their time.

def test_slow_loris_connections_are_closed_and_hold_up_nobody(system):
    with others_are_served(system):
        silent = [cleartext(system) for _ in range(100)]
        in_handshake = [cleartext(system) for _ in range(100)]
        trickling = [cleartext(system) for _ in range(100)]
        half_closed = [cleartext(system) for _ in range(100)]
        for sock in in_handshake:
            sock.sendall(b"\x16\x03\x01\x02\x00")
        for sock in trickling:
            sock.sendall(b"GET / HTTP/1.1\r\n")
        for sock in half_closed:
            sock.shutdown(socket.SHUT_WR)
        for sock in half_closed:
            assert read_all(sock, 5) == b""
        # A byte now and then must not buy time: the whole head has one deadline.
        start, alive = time.monotonic(), set(range(100))
        while alive and time.monotonic() - start < 30:
            for i in list(alive):
                try:
                    trickling[i].sendall(b"X")
                    trickling[i].settimeout(0.001)
                    if trickling[i].recv(1000) == b"":
                        alive.discard(i)
                except TimeoutError:
                    pass
                except OSError:
                    alive.discard(i)
        assert not alive, f"{len(alive)} connections are still open after 30 s"
        for sock in [*silent, *in_handshake]:
            read_all(sock, 30)
        for sock in [*silent, *in_handshake, *trickling, *half_closed]:
            sock.close()


def test_a_half_closed_client_is_taken_for_one_that_has_gone(system):
    sock = cleartext(system)
    sock.sendall(f"GET {PREFIX}/chunks?n=3&each=0.05 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                 f"Authorization: Bearer {system.bearer}\r\n\r\n".encode())
    sock.shutdown(socket.SHUT_WR)
    # How far the answer had come when the end was seen is chance; that the connection ends is not, nor that what is
    # cut off cannot be taken for the whole.
    answer = read_all(sock)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")


# The agents' door.

@pytest.mark.parametrize("path", [CONNECT, REGISTER, CONFIGURATION])
def test_a_call_with_a_wrong_token_is_unauthenticated(system, path):
    client = Http2(system)
    descriptor = b"\0\0\0\0\x04\x0a\x02\x0a\0"
    stream = grpc_call(client, path, [descriptor if path == CONNECT else b"\0\0\0\0\0"], token="glagent-wrong")
    if path != CONNECT:  # which ends its streams at once when they are given up
        client.h2.end_stream(stream)
        client.flush()
    assert grpc_status(client, stream) == UNAUTHENTICATED
    client.close()


@pytest.mark.parametrize("message, statuses", [
    (b"\0\xff\xff\xff\xff", (TOO_MUCH,)),                        # 4 GiB
    (b"\0\x00\xb0\x00\x00", (TOO_MUCH,)),                        # 11 MiB
    (b"\x01\0\0\0\x04gzip", (INVALID, 13, 12)),                  # compressed, without saying how
    (b"\x07\0\0\0\0", (INVALID, 13, 12)),
    (b"\0\0\0\0\x02\xff\xff", (INVALID, 13)),                    # no protobuf
    (b"\0\0\0\0\0", (INVALID,)),                                 # no descriptor
    (b"\0\0\0\0\x02\x1a\x00", (INVALID,)),                       # data before the descriptor
])
def test_a_malformed_connect_stream_is_refused_by_status(system, message, statuses):
    client = Http2(system)
    stream = grpc_call(client, CONNECT, [message])
    assert grpc_status(client, stream) in statuses
    client.close()


def test_a_gzip_bomb_is_refused(system):
    bomb = gzip.compress(b"\0" * (200 * MIB), 9)
    with others_are_served(system, 32 * MIB):  # one message at its limit, and what it outgrew
        client = Http2(system)
        stream = grpc_call(client, REGISTER, [], extra=[("grpc-encoding", "gzip")])
        data = b"\x01" + struct.pack(">I", len(bomb)) + bomb
        with contextlib.suppress(h2.exceptions.ProtocolError, OSError):
            while data:
                room = min(client.h2.local_flow_control_window(stream), client.h2.max_outbound_frame_size, len(data))
                if room == 0:
                    if any(isinstance(e, (h2.events.StreamEnded, h2.events.StreamReset)) for e in client.seen):
                        break
                    client.events_until(lambda e: True)
                    continue
                client.h2.send_data(stream, data[:room])
                data = data[room:]
                client.flush()
            client.h2.end_stream(stream)
            client.flush()
        assert grpc_status(client, stream) in (TOO_MUCH, 13, None)
        client.close()


def test_unknown_methods_and_services_are_unimplemented(system):
    client = Http2(system)
    for path in ("/no.such.Service/Method", CONNECT + "2", "/gitlab.agent.reverse_tunnel.rpc.ReverseTunnel/"):
        stream = grpc_call(client, path, [b"\0\0\0\0\0"])
        client.h2.end_stream(stream)
        client.flush()
        assert grpc_status(client, stream) == UNKNOWN_METHOD
    client.close()


@pytest.mark.parametrize("bytes_sent", [
    b"\x82\xff" + b"\x7f" + b"\xff" * 7 + b"mask",                 # a message of 2^63 bytes
    b"\x82\xff" + struct.pack(">Q", 11 * MIB) + b"mask",           # 11 MiB: over the limit of 10
    b"\x82\x05hello",                                              # not masked
    b"\x81\x85\0\0\0\0hello",                                      # text
    b"\x83\x80\0\0\0\0",                                           # an opcode of the future
    b"\xf2\x80\0\0\0\0",                                           # reserved bits
    b"\x09\x80\0\0\0\0",                                           # a control frame in parts
    b"\x89\xfe\x01\x00\0\0\0\0" + b"p" * 256,                      # a ping of 256 bytes
    b"\x80\x80\0\0\0\0",                                           # a continuation of nothing
    b"\x82\x85\0\0\0\0hello" * 10,                                 # well formed, but no HTTP/2 inside
], ids=["2^63", "11MiB", "unmasked", "text", "opcode", "reserved", "fragmented-control", "long-ping", "continuation", "no-h2"])
def test_a_broken_rule_of_websocket_ends_the_connection(system, bytes_sent):
    sock = websocket(system)
    send_until_closed(sock, bytes_sent)
    read_all(sock, 20)
    sock.close()
    assert system.request("/echo")[0] == 200


def test_a_flood_of_websocket_pings_that_are_never_read_takes_no_memory(system):
    with others_are_served(system):
        for _ in for_a_while():
            sock = websocket(system)
            sock.settimeout(1)
            send_until_closed(sock, (b"\x89\xfd\0\0\0\0" + b"p" * 125) * 100, 2000)
            sock.close()


def test_thousands_of_connections_come_and_go(system):
    with others_are_served(system):
        for _ in range(5):
            socks = [cleartext(system) for _ in range(400)]
            for sock in socks[::2]:
                sock.sendall(b"GET /api/v4/version HTTP/1.1\r\nHost: a\r\n\r\n")
            for sock in socks:
                sock.close()
    towline.wait_for(lambda: system.kas.metrics()["kas_connections"] <= 3, "the connections to be gone", 30)


# Requests and answers that are held whole.

def api_request(client, method, path, end, extra=()):
    """A request of somebody without a token; returns the stream's number."""
    stream = client.h2.get_next_available_stream_id()
    client.h2.send_headers(stream, [(":method", method), (":path", "/api/v4" + path), (":scheme", "https"),
                                    (":authority", "localhost"), *extra], end_stream=end)
    return stream


def statuses_of(seen):
    return [int(dict(event.headers)[b":status"]) for event in seen if isinstance(event, h2.events.ResponseReceived)]


def test_bodies_that_strangers_do_not_finish_hold_little_and_are_refused_by_name(system):
    with others_are_served(system):
        client = Http2(system)
        client.events_until(lambda event: isinstance(event, h2.events.RemoteSettingsChanged))
        for _ in range(90):
            stream = api_request(client, "POST", "/session", False, [("content-type", "application/json")])
            client.h2.send_data(stream, b" " * 650)
        client.flush()
        answers = []
        client.events_until(lambda event: isinstance(event, h2.events.ResponseReceived)
                            and (answers.append(event) or len(answers) >= 30))
        assert set(statuses_of(answers)) == {503}
        client.close()


def test_a_stranger_gets_no_more_than_a_small_body(system):
    sock = cleartext(system)
    sock.sendall(b"POST /api/v4/session HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n")
    head = sock.recv(1000)
    assert head.startswith(b"HTTP/1.1 413 "), head
    sock.close()


@pytest.mark.measures
def test_answers_that_strangers_do_not_read_are_held_to_a_limit(system):
    kas = system.kas
    kas.api("POST", "/projects", {"name": "large", "visibility": "public"}, expect=201)
    content = base64.b64encode(bytes(6 * MIB)).decode()
    kas.api("POST", "/projects/root%2Flarge/repository/files/f",
            {"branch": "main", "content": content, "encoding": "base64", "commit_message": "m"}, expect=201)
    with others_are_served(system, growth=140 * MIB):
        client = Http2(system)
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        client.flush()
        for _ in range(60):
            api_request(client, "GET", "/projects/root%2Flarge/repository/files/f/raw?ref=main", True)
        client.flush()
        answers = []
        client.events_until(lambda event: isinstance(event, h2.events.ResponseReceived)
                            and (answers.append(event) or len(answers) == 60))
        statuses = statuses_of(answers)
        assert statuses.count(200) == 6 and statuses.count(503) == 54, statuses
        client.close()
    status, _, body = kas.call("GET", "/projects/root%2Flarge/repository/files/f/raw?ref=main")
    assert status == 200 and len(body) == 6 * MIB
