"""Programs that end and come back: what is running must not suffer more than it has to."""

import os
import pathlib
import tempfile
import threading
import time

import pytest

import towline

CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def upstream(tmp_path):
    """In the place of the cluster's API: /now answers at once, /slow takes some three seconds for 1 MiB."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # nginx's workers run as nobody
        pathlib.Path(folder, "slow").write_bytes(CONTENT)
        made = towline.Upstream(tmp_path, 'location /now { return 200 "now"; }'
                                          f"location /slow {{ root {folder}; limit_rate 320k; }}")
        yield made
        made.stop()


class Background:
    """A proxied request in a thread."""

    def __init__(self, system, path):
        self.answer = None
        self.thread = threading.Thread(target=self._run, args=(system, path))
        self.thread.start()

    def _run(self, system, path):
        try:
            self.answer = system.request(path)
        except Exception as error:  # the test wants to see it
            self.answer = error

    def result(self, seconds=30):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the request does not end"
        if isinstance(self.answer, Exception):
            raise AssertionError("the request failed") from self.answer
        return self.answer


def test_a_killed_server_is_back_within_three_seconds_with_all_its_data(connected):
    assert connected.request("/version")[0] == 200
    begin = time.monotonic()
    connected.kas.kill_and_restart()
    towline.wait_for(lambda: connected.request("/version")[0] == 200, "a request to pass", 3)
    towline.wait_for(connected.agents[0].ready, "agentk to be ready", 3)
    assert time.monotonic() - begin < 3.0
    assert connected.agents[0].process.running()
    project = "/projects/" + towline.quote(towline.PROJECT)
    agents = connected.kas.api("GET", f"{project}/cluster_agents", expect=200)[1]
    assert [(a["id"], a["name"]) for a in agents] == [(connected.agent_id, towline.AGENT)]
    tokens = connected.kas.api("GET", f"{project}/cluster_agents/{connected.agent_id}/tokens", expect=200)[1]
    assert [t["id"] for t in tokens] == [connected.agent_token_id]
    file = towline.quote(f".gitlab/agents/{towline.AGENT}/config.yaml")
    assert connected.kas.api("GET", f"{project}/repository/files/{file}?ref=main", expect=200)[1]["file_name"]


def busy(system):
    """The server's count of requests under way in tunnels."""
    return system.kas.metrics()["kas_tunnels_busy"]


@pytest.mark.parametrize("program", ["agentk", "kas"])
def test_a_running_answer_is_completed_before_a_program_stops(system, upstream, program):
    agent = system.start_agent(upstream.kubeconfig())
    slow = Background(system, "/slow")
    towline.wait_for(lambda: busy(system) == 1, "the request to be under way")
    process = agent.process if program == "agentk" else system.kas.process
    process.terminate()
    begin = time.monotonic()
    code, _, body = slow.result()
    assert code == 200 and body == CONTENT
    assert time.monotonic() - begin > 1.0, "the answer was over too soon to prove anything"
    assert process.process.wait(5) == 0, process.log()[-2000:]


def test_agents_relieve_each_other_without_a_failed_request(system, upstream):
    first = system.start_agent(upstream.kubeconfig())
    statuses = []
    over = threading.Event()

    def ask():
        while not over.is_set():
            try:
                statuses.append(system.request("/now")[0])
            except OSError as error:
                statuses.append(str(error))
    askers = [threading.Thread(target=ask) for _ in range(4)]
    for each in askers:
        each.start()
    try:
        for _ in range(3):
            second = system.start_agent(upstream.kubeconfig())
            seen = len(statuses)
            first.stop()
            assert first.process.process.returncode == 0
            towline.wait_for(lambda: len(statuses) > seen + 100, "requests through the new agent")
            first = second
    finally:
        over.set()
        for each in askers:
            each.join(30)
    assert set(statuses) == {200}, {status: statuses.count(status) for status in statuses}
