"""The enemy is the cluster: an API server that resets, refuses, breaks off and says what no server says."""

import http.client
import json
import threading

import pytest

import fake_api
import siege
import towline


def besieged(folder, kind):
    api = kind(folder / "fake")
    system = towline.System(folder / "system")
    system.start_agent(api.kubeconfig())
    system.api = api
    return system


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A system whose cluster speaks HTTP/2."""
    system = besieged(tmp_path_factory.mktemp("two"), fake_api.Http2Api)
    yield system
    system.stop()
    system.api.stop()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A system whose cluster speaks HTTP/1.1."""
    system = besieged(tmp_path_factory.mktemp("one"), fake_api.Http1Api)
    yield system
    system.stop()
    system.api.stop()


def status_message(body):
    status = json.loads(body)
    assert status["kind"] == "Status"
    return status["message"]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("code", [0, 1, 2, 8, 11, 13])
def test_a_stream_that_is_reset_is_an_error_and_reaches_the_cluster_once(two, code, method):
    assert two.request("/ok")[0] == 200  # the connection is a used one
    before = two.api.count(method, f"/reset/{code}")
    status, _, body = two.request(f"/reset/{code}", method)
    assert (status, two.api.count(method, f"/reset/{code}") - before) == (502, 1), body
    assert "agentk: Kubernetes API: " in status_message(body)


def test_a_request_that_is_refused_unseen_is_made_once_more_on_another_connection(two):
    assert two.request("/ok")[0] == 200
    assert two.request("/refuse-first", "POST")[2] == b"ok"
    assert two.api.count("POST", "/refuse-first") == 2
    assert two.request("/goaway-below", "POST")[2] == b"ok"
    assert two.api.count("POST", "/goaway-below") == 2


def test_a_cluster_that_refuses_for_ever_is_asked_twice(two):
    status, _, body = two.request("/reset/7", "DELETE")
    assert status == 502 and "REFUSED_STREAM" in status_message(body)
    assert two.api.count("DELETE", "/reset/7") == 2


@pytest.mark.parametrize("method, asked, status", [("GET", 2, 200), ("POST", 1, 502), ("DELETE", 1, 502)])
def test_a_kept_connection_that_was_closed_is_replaced_for_safe_methods_only(one, method, asked, status):
    assert one.request("/ok")[0] == 200
    before = one.api.count(method, "/kept-then-closed")
    assert one.request("/kept-then-closed", method)[0] == status
    assert one.api.count(method, "/kept-then-closed") - before == asked


def raw_answer(system, path, alpn=None):
    """Over a connection of its own; (status, bytes of the body that came, whether it was complete)."""
    connection = http.client.HTTPSConnection("localhost", system.kas.port, context=system.kas.tls(), timeout=20)
    connection.request("GET", siege.PREFIX + path, headers={"Authorization": "Bearer " + system.bearer})
    response = connection.getresponse()
    try:
        return response.status, response.read(), True
    except http.client.IncompleteRead as cut:
        return response.status, cut.partial, False
    finally:
        connection.close()


@pytest.mark.parametrize("size", [1, 1000, 16000])
def test_what_came_of_an_answer_that_breaks_off_is_delivered(one, two, size):
    one.api.raw[f"cut{size}"] = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * size
    one.api.raw[f"chunk{size}"] = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size) + b"x" * size + b"\r\n"
    for _ in range(5):
        for system, path in ((one, f"/raw/cut{size}"), (one, f"/raw/chunk{size}"), (two, f"/break/{size}")):
            assert raw_answer(system, path) == (200, b"x" * size, False), path
            client = siege.Http2(system)
            stream = client.request(path)
            client.flush()
            seen = client.events_until(lambda event: isinstance(event, siege.h2.events.StreamReset))
            client.close()
            got = b"".join(e.data for e in seen if isinstance(e, siege.h2.events.DataReceived) and e.stream_id == stream)
            assert got == b"x" * size, path


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 000 No\r\n\r\n", b"HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", b"HTTP/1.1 200 OK\r\n: x\r\n\r\n", b"\0\1\2\3", b"",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 3_000_000 + b"\r\n\r\n",
], ids=lambda answer: repr(answer[:40]))
def test_what_is_no_answer_is_502_to_clients_of_both_protocols(one, answer):
    one.api.raw["odd"] = answer
    status, headers, body = one.request("/raw/odd")
    assert status == 502 and "Retry-After" not in headers, body
    status_message(body)
    client = siege.Http2(one)
    client.request("/raw/odd")
    client.flush()
    seen = client.events_until(lambda event: isinstance(event, siege.h2.events.StreamEnded))
    assert dict(next(e.headers for e in seen if isinstance(e, siege.h2.events.ResponseReceived)))[b":status"] == b"502"
    client.close()
    assert one.request("/ok")[0] == 200


@pytest.mark.parametrize("size", [60_000, 65_000, 65_450, 65_536, 70_000, 200_000])
def test_a_large_response_head_arrives_or_is_an_error_at_once(one, two, size):
    one.api.raw["large"] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"".join(
        b"%s: %s\r\n" % (name.encode(), value.encode()) for name, value in fake_api.fields(size)) + b"\r\n"
    for system, path in ((one, "/raw/large"), (two, f"/head/{size}")):
        client = siege.Http2(system)
        client.request(path)
        client.flush()
        client.events_until(lambda event: isinstance(event, (siege.h2.events.StreamEnded, siege.h2.events.StreamReset)), 10)
        client.close()
        assert system.request("/ok", timeout=10)[0] == 200


def test_nothing_that_a_cluster_says_speaks_for_the_servers_origin(one):
    one.api.raw["page"] = (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nSet-Cookie: __Host-towline_session=x\r\n"
                           b"Clear-Site-Data: \"*\"\r\nStrict-Transport-Security: max-age=0\r\nAlt-Svc: h3\r\nNEL: {}\r\n"
                           b"Report-To: {}\r\nService-Worker-Allowed: /\r\nAccess-Control-Allow-Origin: *\r\n"
                           b"Location: /api/v1/x\r\nContent-Type: text/html\r\n\r\n")
    connection = http.client.HTTPSConnection("localhost", one.kas.port, context=one.kas.tls(), timeout=20)
    connection.request("GET", siege.PREFIX + "/raw/page", headers={"Authorization": "Bearer " + one.bearer})
    response = connection.getresponse()
    names = {name.lower() for name, _ in response.getheaders()}
    assert not names & {"set-cookie", "clear-site-data", "strict-transport-security", "alt-svc", "nel", "report-to",
                        "service-worker-allowed", "access-control-allow-origin"}
    assert response.getheader("Location") == siege.PREFIX + "/api/v1/x"
    assert response.getheader("Content-Security-Policy") == "sandbox"
    assert response.getheader("X-Content-Type-Options") == "nosniff"
    connection.close()


def test_the_target_arrives_as_it_was_sent_whatever_its_bytes(one):
    for target in ("/a%2Fb?z=1&a=2&z=3", "/x?x", "/x?a+b&c;d&&=e&%zz", "/%41%7e/./..//x?a?", "/caf\xe9?caf\xe9",
                   "/x?gitlab-agent-id=1"):
        with one.kas.connect(["http/1.1"]) as sock:
            sock.sendall((f"GET {siege.PREFIX}{target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {one.bearer}\r\n"
                          f"X-Name: caf\xe9\r\nX-Remote-User: admin\r\nX-Forwarded-For: 1\r\nTrailer: x\r\nCookie: a=b\r\n"
                          f"Connection: close\r\n\r\n").encode("latin-1"))
            assert siege.read_all(sock).startswith(b"HTTP/1.1 200"), target
        head = one.api.heads[-1].decode("latin-1")
        assert head.startswith(f"GET {target} HTTP/1.1\r\n"), head
        assert "X-Name: caf\xe9" in head
        for name in ("x-remote", "x-forwarded", "trailer", "cookie"):
            assert f"\r\n{name}" not in head.lower()


def test_a_url_of_a_mebibyte_arrives(one):
    command = "&".join(f"command={i:07}" for i in range(60_000))
    assert len(command) > 900_000
    status, _, body = one.request("/exec?" + command)
    assert status == 200, body
    assert one.api.heads[-1].startswith(f"GET /exec?{command} HTTP/1.1\r\n".encode())


def test_others_are_served_while_clusters_misbehave(one):
    one.api.raw["flood"] = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 50_000
    with siege.others_are_served(ServedAt(one)):
        threads = [threading.Thread(target=one.request, args=("/raw/flood",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)


class ServedAt:
    """A system whose check of others asks what this file's API servers answer."""

    def __init__(self, system):
        self.kas = system.kas
        self.system = system

    def request(self, path, **options):
        return self.system.request("/ok", **options)
