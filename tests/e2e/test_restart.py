"""Programs that end and come back: what is running must not suffer more than it has to."""

import threading
import time

import pytest

import towline


@pytest.fixture
def upstream(tmp_path):
    """In the place of the cluster's API: /now answers at once, /slow takes some three seconds for 1 MiB."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/slow").write_bytes(bytes(range(256)) * 4096)
    made = towline.Upstream(tmp_path, 'location /now { return 200 "now"; }'
                                      f"location /slow {{ root {tmp_path}/www; limit_rate 320k; }}")
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
    assert time.monotonic() - begin < 3.0
    assert connected.agents[0].process.running() and connected.agents[0].ready()
    project = "/projects/" + towline.quote(towline.PROJECT)
    agents = connected.kas.api("GET", f"{project}/cluster_agents", expect=200)[1]
    assert [(a["id"], a["name"]) for a in agents] == [(connected.agent_id, towline.AGENT)]
    tokens = connected.kas.api("GET", f"{project}/cluster_agents/{connected.agent_id}/tokens", expect=200)[1]
    assert [t["id"] for t in tokens] == [connected.agent_token_id]
    file = towline.quote(f".gitlab/agents/{towline.AGENT}/config.yaml")
    assert connected.kas.api("GET", f"{project}/repository/files/{file}?ref=main", expect=200)[1]["file_name"]
