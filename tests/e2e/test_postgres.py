"""kas on PostgreSQL: whole, side by side, killed, and without its database for a while; and that neither database
loses what was acknowledged."""

import concurrent.futures
import itertools
import random
import secrets
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse

import pytest

import postgres
import towline
from test_configuration import LOGGING, Checkout, applied


@pytest.fixture(scope="module")
def server():
    made = postgres.Postgres()
    yield made
    made.remove()


@pytest.fixture
def database_url(server):
    """The URL of an empty database that its role owns and may do nothing beside."""
    return server.create_database("towline_" + secrets.token_hex(4))


@pytest.fixture
def on_postgres(tmp_path, database_url):
    made = towline.System(tmp_path, database_url=database_url)
    yield made
    made.stop()


def agents_of(kas, project=towline.PROJECT):
    found = []
    for page in itertools.count(1):
        path = f"/projects/{towline.quote(project)}/cluster_agents?per_page=100&page={page}"
        agents = kas.api("GET", path, expect=200)[1]
        found += [agent["name"] for agent in agents]
        if len(agents) < 100:
            return found


def test_an_agent_connects_is_configured_by_a_push_and_carries_requests(on_postgres, cluster, tmp_path):
    agent = on_postgres.start_agent(cluster["KUBECONFIG"])
    assert on_postgres.request("/version")[0] == 200
    commit = Checkout(on_postgres, tmp_path).push(LOGGING.format("debug"))
    towline.wait_for(lambda: commit in applied(agent), "the pushed configuration", 5)
    assert agents_of(on_postgres.kas) == [towline.AGENT]
    assert not (on_postgres.folder / "data/towline.db").exists()


def test_the_password_is_neither_in_the_log_nor_on_the_command_line(on_postgres, server):
    command = open(f"/proc/{on_postgres.kas.process.pid}/cmdline").read()
    on_postgres.kas.stop()
    for text in (command, on_postgres.kas.process.log()):
        assert server.PASSWORD not in text and server.QUOTED not in text
    on_postgres.kas.start()


def test_the_url_may_come_from_the_environment(tmp_path, database_url, monkeypatch):
    monkeypatch.delenv("TOWLINE_TEST_DATABASE_URL", raising=False)
    monkeypatch.setenv("TOWLINE_DATABASE_URL", database_url)
    kas = towline.Kas(tmp_path)
    try:
        kas.create_project()
        assert not (tmp_path / "data/towline.db").exists()
    finally:
        kas.stop()


def test_two_servers_that_start_at_once_share_one_database(server, database_url, tmp_path):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        starting = [pool.submit(towline.Kas, tmp_path / name, database_url=database_url) for name in ("a", "b")]
        first, second = [each.result() for each in starting]
    try:
        name = urllib.parse.urlsplit(database_url).path[1:]
        versions = server.sql("SELECT version FROM schema_migrations ORDER BY 1", name).split()
        assert versions == [str(1 + i) for i in range(len(versions))]
        assert first.api("GET", "/user", expect=200)[1]["username"] == "root"
        first.create_project()
        first.register_agent("one")
        second.register_agent("two")
        assert sorted(agents_of(first)) == sorted(agents_of(second)) == ["one", "two"]
        # What one decides the other obeys.
        token = first.personal_token(scopes=("api",))
        user = second.api("GET", "/personal_access_tokens/self", token=token, expect=200)[1]
        first.api("DELETE", f"/personal_access_tokens/{user['id']}", expect=204)
        assert second.api("GET", "/user", token=token)[0] == 401
    finally:
        first.stop()
        second.stop()


def test_two_servers_refuse_a_name_that_the_other_has_just_given(database_url, tmp_path):
    servers = [towline.Kas(tmp_path / name, database_url=database_url) for name in ("a", "b")]
    try:
        servers[0].create_project()
        path = f"/projects/{towline.quote(towline.PROJECT)}/cluster_agents"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for round_ in range(5):
                body = {"name": f"a{round_}"}
                made = [pool.submit(servers[i % 2].api, "POST", path, body) for i in range(8)]
                statuses = sorted(each.result()[0] for each in made)
                assert statuses[0] == 201 and set(statuses[1:]) <= {400, 409}, statuses
        assert sorted(agents_of(servers[0])) == [f"a{i}" for i in range(5)]
    finally:
        for each in servers:
            each.stop()


class Writers:
    """Registers agents from several threads; knows which were acknowledged."""

    def __init__(self, kas, prefix):
        self.kas, self.prefix, self.acknowledged, self.over = kas, prefix, [], threading.Event()
        self.numbers = itertools.count()
        self.threads = [threading.Thread(target=self._run) for _ in range(4)]
        for each in self.threads:
            each.start()

    def _run(self):
        path = f"/projects/{towline.quote(towline.PROJECT)}/cluster_agents"
        while not self.over.is_set():
            name = f"{self.prefix}{next(self.numbers)}"
            try:
                if self.kas.api("POST", path, {"name": name})[0] == 201:
                    self.acknowledged.append(name)
            except (OSError, urllib.error.URLError, ValueError):
                return  # killed

    def join(self):
        self.over.set()
        for each in self.threads:
            each.join(30)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(engine, tmp_path, request, monkeypatch):
    monkeypatch.delenv("TOWLINE_TEST_DATABASE_URL", raising=False)
    url = request.getfixturevalue("database_url") if engine == "postgres" else None
    kas = towline.Kas(tmp_path, database_url=url)
    try:
        kas.create_project()
        expected = []
        for round_ in range(4):
            writers = Writers(kas, f"r{round_}-")
            enough = random.randint(5, 60)
            towline.wait_for(lambda: len(writers.acknowledged) >= enough, "writes")
            kas.process.kill()
            writers.join()
            kas.start()
            expected += writers.acknowledged
            assert set(expected) <= set(agents_of(kas))
    finally:
        kas.stop()


def test_a_restart_of_the_database_is_an_error_for_a_while_and_then_over(on_postgres, api, server):
    agent = on_postgres.start_agent(api.kubeconfig())
    kas = on_postgres.kas
    server.stop()
    try:
        status, answer = kas.api("GET", "/projects")
        assert (status, answer["message"]) == (503, "the database is not reachable")
        status, answer = kas.api("POST", "/projects", {"name": "lost"})
        assert (status, answer["message"]) == (503, "the database is not reachable")
        begin = time.monotonic()
        for _ in range(20):
            assert kas.api("GET", "/user")[0] == 503
        assert time.monotonic() - begin < 20, "nobody waits long for a database that is known to be gone"
        # Rights cannot be checked, so nobody gets through; the agent stays.
        towline.wait_for(lambda: on_postgres.request("/version")[0] == 502, "requests to be refused", 10)
        assert b"kas: the database is not reachable" in on_postgres.request("/version")[2]
        assert agent.process.running() and kas.process.running()
    finally:
        server.start()
    towline.wait_for(lambda: kas.api("GET", "/projects")[0] == 200, "the database to be back", 10)
    assert kas.create_project("after")["path"] == "after"
    towline.wait_for(lambda: on_postgres.request("/version")[0] == 200, "requests to pass", 10)
    assert kas.process.log_lines("the database is not reachable")
    assert kas.process.log_lines("the database is reachable again")


@pytest.mark.parametrize("how", ["fast", "crash"])
def test_idle_connections_that_died_fail_no_request(on_postgres, server, how):
    """A restart between two requests goes unnoticed."""
    assert on_postgres.kas.api("GET", "/user")[0] == 200
    server.restart(signal.SIGINT if how == "fast" else signal.SIGQUIT)
    assert on_postgres.kas.api("GET", "/user")[0] == 200
    server.restart(signal.SIGINT if how == "fast" else signal.SIGQUIT)
    assert on_postgres.kas.create_project("after")["path"] == "after"


def test_what_comes_when_the_database_is_back_does_not_fail_for_what_came_before(on_postgres, server):
    assert on_postgres.kas.api("GET", "/user")[0] == 200
    server.stop(signal.SIGINT)
    try:
        statuses = {on_postgres.kas.api("GET", "/user")[0] for _ in range(6)}  # the pauses are at their longest
    finally:
        server.start()
    assert statuses == {503}
    assert on_postgres.kas.create_project("at-once")["path"] == "at-once"


def test_without_its_database_the_server_does_not_start_and_says_why(tmp_path):
    (tmp_path / "url").write_text(f"postgresql://towline:geheim@127.0.0.1:{towline.free_port()}/towline")
    result = subprocess.run([towline.BIN / "kas", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0",
                             "--observability-listen", "127.0.0.1:0", "--database-url-file", tmp_path / "url"],
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "PostgreSQL database towline at 127.0.0.1:" in result.stderr and "Connection refused" in result.stderr
    assert "geheim" not in result.stdout + result.stderr
