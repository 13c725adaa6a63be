"""What breaks is said at once, by the hop that knows; and what comes back works again."""

import http.client
import json
import re
import socket
import threading
import time

import pytest

import towline


def timed(call):
    start = time.monotonic()
    result = call()
    return time.monotonic() - start, result


def message(body):
    return json.loads(body)["message"]


class Reader:
    """A request on its own connection: .response when its head has come, .body how it begins, .error what ended it."""

    KEPT = 1 << 20

    def __init__(self, system, path, method="GET", body=None):
        self.connection = http.client.HTTPSConnection("localhost", system.kas.port, timeout=60,
                                                      context=system.kas.tls())
        self.connection.request(method, "/-/kubernetes-agent/k8s-proxy" + path, body,
                                {"Authorization": "Bearer " + system.bearer})
        self.response, self.error, self.ended, self.body = None, None, None, b""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            self.response = self.connection.getresponse()
            while data := self.response.read1(65536):
                if len(self.body) < self.KEPT:
                    self.body += data
            if self.response.length:
                raise http.client.IncompleteRead(b"", self.response.length)
        except (OSError, http.client.HTTPException) as error:
            self.error = error
        self.ended = time.monotonic()

    def join(self, seconds=30):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the request did not end"
        return self

    def close(self):
        self.connection.close()


def test_an_agent_that_never_came_is_an_immediate_503(system):
    seconds, (status, headers, body) = timed(lambda: system.request("/api"))
    assert status == 503 and seconds < 1
    assert "is not connected" in message(body) and "never connected" in message(body)
    assert json.loads(body)["reason"] == "ServiceUnavailable"


def test_an_agent_that_went_is_a_503_after_seconds_which_says_when(system, api):
    agent = system.start_agent(api.kubeconfig())
    assert system.request("/echo")[0] == 200
    agent.stop()
    towline.wait_for(lambda: system.kas.metrics()["kas_agents_connected"] == 0, "the server to notice", 5)
    seconds, (status, headers, body) = timed(lambda: system.request("/echo"))
    assert status == 503 and seconds < 10 and headers["Retry-After"]
    seen = re.search(r"last seen at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", message(body))
    assert seen, body
    age = time.time() - time.mktime(time.strptime(seen.group(1), "%Y-%m-%dT%H:%M:%SZ")) + time.timezone
    assert -2 < age < 60


def test_a_request_waits_for_an_agent_that_comes_back(system, api):
    agent = system.start_agent(api.kubeconfig())
    assert system.request("/echo")[0] == 200
    agent.process.kill()
    towline.wait_for(lambda: system.kas.metrics()["kas_agents_connected"] == 0, "the server to notice", 5)
    agent = system.start_agent(api.kubeconfig(), wait=False)
    assert system.request("/echo", "POST", b"once")[0] == 200


def test_an_agent_killed_before_the_answer_is_a_502_within_a_second(system, api):
    agent = system.start_agent(api.kubeconfig())
    reader = Reader(system, "/hang")
    towline.wait_for(lambda: api.counters.running == 1, "the request to arrive")
    agent.process.kill()
    killed = time.monotonic()
    reader.join()
    assert reader.response is not None and reader.response.status == 502, reader.error
    assert reader.ended - killed < 1
    assert "connection to the agent was lost" in message(reader.body)
    api.wait_idle()


def test_an_agent_killed_in_mid_answer_is_an_error_within_a_second(system, api):
    agent = system.start_agent(api.kubeconfig())
    reader = Reader(system, "/chunks?n=600&each=0.1")
    towline.wait_for(lambda: b"chunk 3" in reader.body, "the answer to flow")
    agent.process.kill()
    killed = time.monotonic()
    reader.join()
    # Not an ordinary end: the client must see that the answer is incomplete.
    assert reader.error is not None
    assert reader.ended - killed < 1
    api.wait_idle()


def test_a_watch_of_kubectl_ends_when_the_agent_is_killed(connected, kubectl):
    process = kubectl.popen("get", "namespaces", "-w")
    assert process.stdout.readline()
    connected.agents[0].process.kill()
    killed = time.monotonic()
    process.communicate(timeout=10)
    assert time.monotonic() - killed < 1


def test_a_closed_port_in_the_place_of_the_cluster_is_a_502_of_the_agent(system, api):
    system.start_agent(api.kubeconfig(), "wss", "--server", f"https://127.0.0.1:{towline.free_port()}")
    seconds, (status, _, body) = timed(lambda: system.request("/echo"))
    assert status == 502 and seconds < 2
    assert "agentk" in message(body) and "refused" in message(body).lower(), body


def test_a_cluster_that_is_not_trusted_is_a_502_of_the_agent(system, api, cluster):
    # The real cluster's address with the CA of another.
    address = json.loads(api.kubeconfig().read_text())["clusters"][0]["cluster"]["server"]
    real = re.search(r"server: (https://\S+)", open(cluster["KUBECONFIG"]).read()).group(1)
    assert address != real
    system.start_agent(api.kubeconfig(), "wss", "--server", real)
    status, _, body = system.request("/api")
    assert status == 502 and "agentk" in message(body) and "not trusted" in message(body), body


def test_a_cluster_that_breaks_in_mid_answer_is_an_error(system, api):
    listener = socket.create_server(("127.0.0.1", 0))
    nginx = towline.Upstream(system.folder, f"location / {{ proxy_pass http://127.0.0.1:{listener.getsockname()[1]}; "
                                            "proxy_buffering off; proxy_http_version 1.1; }")
    try:
        system.start_agent(nginx.kubeconfig())
        reader = Reader(system, "/broken")
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
        towline.wait_for(lambda: reader.body == b"only this", "the first bytes")
        peer.close()
        reader.join(10)
        assert reader.error is not None
    finally:
        listener.close()
        nginx.stop()


def test_a_client_that_goes_away_is_noticed_by_the_cluster(system, api):
    system.start_agent(api.kubeconfig())
    reader = Reader(system, "/hang")
    towline.wait_for(lambda: api.counters.running == 1, "the request to arrive")
    reader.connection.sock.shutdown(socket.SHUT_RDWR)
    reader.join()
    api.wait_idle(2)
    towline.wait_for(lambda: system.kas.metrics()["kas_tunnels_busy"] == 0, "the tunnel to be free", 2)


@pytest.mark.parametrize("scheme", ["grpcs", "wss"])
def test_a_killed_server_is_back_within_three_seconds_with_all_it_knew(tmp_path, api, scheme):
    system = towline.System(tmp_path)
    try:
        system.start_agent(api.kubeconfig(), scheme)
        assert system.request("/echo")[0] == 200
        for _ in range(3):
            before = {path: system.kas.api("GET", path, expect=200)[1] for path in (
                "/user", "/projects/root%2Fdemo", "/projects/root%2Fdemo/cluster_agents",
                "/projects/root%2Fdemo/repository/files/.gitlab%2Fagents%2Fdemo%2Fconfig.yaml?ref=main")}
            system.kas.kill_and_restart()
            listening = time.monotonic()
            towline.wait_for(lambda: system.request("/echo")[0] == 200, "requests to pass", 3)
            assert time.monotonic() - listening < 3
            assert before == {path: system.kas.api("GET", path, expect=200)[1] for path in before}
    finally:
        system.stop()


def test_a_server_killed_in_the_midst_of_writing_keeps_what_it_confirmed(tmp_path):
    kas = towline.Kas(tmp_path)
    try:
        confirmed, stop = [], threading.Event()

        def write():
            while not stop.is_set():
                try:
                    status, project = kas.api("POST", "/projects", {"name": f"p{len(confirmed)}"})
                except OSError:
                    return
                if status == 201:
                    confirmed.append(project["id"])

        writer = threading.Thread(target=write)
        writer.start()
        towline.wait_for(lambda: len(confirmed) >= 10, "some projects")
        kas.process.kill()
        stop.set()
        writer.join(30)
        kas.start()
        for project_id in confirmed:
            kas.api("GET", f"/projects/{project_id}", expect=200)
        kas.create_project("after")
    finally:
        kas.stop()


def test_an_agent_told_to_stop_finishes_what_it_has_begun(system, api):
    agent = system.start_agent(api.kubeconfig())
    reader = Reader(system, "/chunks?n=30&each=0.1")
    towline.wait_for(lambda: b"chunk 3" in reader.body, "the answer to flow")
    agent.process.terminate()
    towline.wait_for(lambda: not agent.ready(), "the agent to take no more", 2)
    reader.join()
    assert reader.error is None
    assert reader.body == b"".join(b"chunk %d\n" % i for i in range(30))
    assert agent.process.process.wait(5) == 0


def test_a_second_agent_takes_over_from_one_that_stops(system, api):
    """A rolling upgrade: no request fails while one agent goes and another is there."""
    first = system.start_agent(api.kubeconfig())
    system.start_agent(api.kubeconfig())
    failures, done, stop = [], [0], threading.Event()

    def ask():
        while not stop.is_set():
            status, _, body = system.request("/echo")
            done[0] += 1
            if status != 200:
                failures.append((status, body))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    towline.wait_for(lambda: done[0] > 50, "requests to flow")
    first.process.terminate()
    assert first.process.process.wait(20) == 0
    at_end = done[0]
    towline.wait_for(lambda: done[0] > at_end + 50, "requests to flow on")
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not failures, failures[:3]


def test_a_server_told_to_stop_finishes_what_it_has_begun(tmp_path, api):
    system = towline.System(tmp_path)
    system.start_agent(api.kubeconfig())
    reader = Reader(system, "/chunks?n=30&each=0.1")
    towline.wait_for(lambda: b"chunk 3" in reader.body, "the answer to flow")
    system.kas.process.terminate()
    reader.join()
    assert reader.error is None
    assert reader.body == b"".join(b"chunk %d\n" % i for i in range(30))
    reader.close()
    assert system.kas.process.process.wait(10) == 0
    system.stop()
