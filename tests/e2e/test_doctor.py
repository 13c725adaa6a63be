"""What the agent finds out about its own connections, and whom it tells."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

import proxies
import towline

CHECKS = ["address", "dns", "proxy", "tcp", "tls", "websocket", "token", "kubernetes", "permissions", "flux"]
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
NO_PROXIES = {name: "" for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")}


class Doctor:
    def __init__(self, system, kubeconfig):
        self.system, self.kubeconfig = system, kubeconfig
        self.folder = system.folder

    def run(self, address, *flags, token=None, ca=None, environment=None):
        """`agentk doctor`; returns its exit code and the checks by name."""
        token_file = self.folder / "doctor-token"
        token_file.write_text(token or self.system.agent_token)
        trust = ["--kas-ca-cert-file", ca or self.system.kas.ca_file]
        result = subprocess.run(
            [towline.BIN / "agentk", "doctor", "--kas-address", address, "--token-file", token_file, *trust,
             "--kubeconfig", self.kubeconfig, "-o", "json", *flags], capture_output=True, text=True, timeout=120,
            env={**os.environ, **NO_PROXIES, **(environment or {})})
        assert result.returncode in (0, 1), result.stderr
        report = json.loads(result.stdout)
        assert [each["name"] for each in report["checks"]] == CHECKS
        assert report["healthy"] == (result.returncode == 0)
        return result.returncode, {each["name"]: each for each in report["checks"]}

    def failure(self, *arguments, **options):
        """The check that fails: its name, finding and remedy. All before it are well, all after it skipped."""
        code, checks = self.run(*arguments, **options)
        assert code == 1
        failed = [each for each in checks.values() if each["verdict"] == "failed"]
        assert len(failed) == 1, failed
        later = CHECKS[CHECKS.index(failed[0]["name"]) + 1:CHECKS.index("kubernetes")]
        assert all(checks[name]["verdict"] == "skipped" for name in later)
        return failed[0]["name"], failed[0]["detail"], failed[0]["remedy"]


@pytest.fixture(scope="module")
def doctor(tmp_path_factory, cluster):
    system = towline.System(tmp_path_factory.mktemp("doctor"))
    yield Doctor(system, cluster["KUBECONFIG"])
    system.stop()


@pytest.fixture
def web(tmp_path):
    """nginx before something; `web(locations)` gives its port."""
    started = []

    def make(locations):
        started.append(towline.Upstream(tmp_path, locations))
        return started[-1]

    yield make
    for each in started:
        each.stop()


@pytest.mark.parametrize("scheme", ["wss", "grpcs", "ws", "grpc"])
def test_all_is_well_over_every_scheme(doctor, scheme):
    code, checks = doctor.run(doctor.system.address(scheme))
    assert code == 0
    assert checks["token"]["detail"] == f"the server knows it: agent {doctor.system.agent_id} of root/demo"
    assert checks["kubernetes"]["detail"].startswith("v1.")
    assert checks["tls"]["verdict"] == ("ok" if scheme in ("wss", "grpcs") else "skipped")
    assert checks["websocket"]["verdict"] == ("ok" if scheme in ("wss", "ws") else "skipped")


def test_the_text_is_for_people(doctor):
    result = subprocess.run([towline.BIN / "agentk", "doctor", "--kas-address", "grpc://localhost:1", "--kubeconfig",
                             doctor.kubeconfig], capture_output=True, text=True, timeout=60,
                            env={**os.environ, **NO_PROXIES, "AGENTK_TOKEN": "glagent-x"})
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["ok", "address", "grpc://localhost:1"]
    at = next(i for i, line in enumerate(lines) if line.startswith("failed   tcp "))
    assert "Connection refused" in lines[at] and "To do: nothing listens on port 1" in lines[at + 1]
    assert "glagent" not in result.stdout + result.stderr


def test_an_address_that_is_none_is_said(doctor):
    name, detail, remedy = doctor.failure("https://localhost:1/")
    assert name == "address" and "grpc, grpcs, ws and wss" in detail and "wss://HOST" in remedy


def test_a_name_that_does_not_resolve_is_said(doctor):
    name, detail, remedy = doctor.failure("wss://kas.invalid/-/kubernetes-agent/")
    assert name == "dns" and "kas.invalid: no such host" in detail and "config.kasAddress" in remedy


def test_a_ca_that_is_missing_or_wrong_is_said(doctor, web):
    address = doctor.system.address("wss")
    name, detail, remedy = doctor.failure(address, ca=SYSTEM_CA)
    assert name == "tls" and "CA is not trusted" in detail and "config.kasCaCert" in remedy
    other = web("location / { return 404; }")
    name, detail, remedy = doctor.failure(address, ca=other.ca_file)
    assert name == "tls" and "CA is not trusted" in detail
    name, detail, remedy = doctor.failure(address, ca="/nowhere.pem")
    assert name == "tls" and "/nowhere.pem" in detail and "PEM" in remedy


def test_a_certificate_for_another_name_is_said(doctor):
    made = towline.Upstream(doctor.folder, "location / { return 404; }", certificate_for=("kas.example.com",))
    try:
        name, detail, remedy = doctor.failure(f"wss://localhost:{made.port}/", ca=made.ca_file)
        assert name == "tls" and "kas.example.com" in detail and "--kas-tls-server-name" in remedy
    finally:
        made.stop()


def test_a_port_without_tls_is_said(doctor):
    name, detail, remedy = doctor.failure(f"wss://localhost:{doctor.system.kas.metrics_port}/")
    assert name == "tls" and "does not speak TLS" in detail and "ws://" in remedy


def test_redirects_and_a_missing_slash_are_named(doctor, web):
    proxy = web(f"""
      location = /-/kubernetes-agent {{ return 301 https://$http_host/-/kubernetes-agent/; }}
      location = /strict {{ return 404; }}
      location = /gone/ {{ return 404; }}
      location = /down/ {{ proxy_pass http://127.0.0.1:1; }}
      location = /login/ {{ return 401; }}
      location = /plain/ {{ proxy_pass https://127.0.0.1:{doctor.system.kas.port}/-/kubernetes-agent/; }}""")

    def failure(path):
        return doctor.failure(f"wss://localhost:{proxy.port}{path}", ca=proxy.ca_file)

    name, detail, remedy = failure("/-/kubernetes-agent")
    assert name == "websocket" and "301" in detail and "/-/kubernetes-agent/" in detail and "slash" in remedy
    name, detail, remedy = failure("/strict")
    assert name == "websocket" and "404" in detail and f"wss://localhost:{proxy.port}/strict/" in remedy
    assert "check the path" in failure("/gone/")[2]
    assert "reverse proxy does not reach" in failure("/down/")[2]
    assert "--kas-header" in failure("/login/")[2]
    assert "/-/kubernetes-agent/ for kas" in failure("/plain/")[2], "nginx without Upgrade gets the answer for a page"


def test_a_wrong_token_is_said_and_not_shown(doctor):
    name, detail, remedy = doctor.failure(doctor.system.address("wss"), token="glagent-wrong")
    assert name == "token" and "wrong or revoked" in detail and "config.token" in remedy
    assert "glagent-wrong" not in detail + remedy


def test_a_server_that_is_something_else_is_said(doctor, web):
    proxy = web("location / { return 200 'hello'; }")
    name, _, remedy = doctor.failure(f"grpcs://localhost:{proxy.port}", ca=proxy.ca_file)
    assert name in ("tls", "token") and remedy


def test_a_cluster_that_is_not_there_is_said_beside_a_server_that_is(doctor, tmp_path):
    dead = tmp_path / "dead.kubeconfig"
    dead.write_text(pathlib.Path(doctor.kubeconfig).read_text().replace(":16443", ":1"))
    code, checks = Doctor(doctor.system, dead).run(doctor.system.address("wss"))
    assert code == 1 and checks["token"]["verdict"] == "ok"
    assert checks["kubernetes"]["verdict"] == "failed" and "refused" in checks["kubernetes"]["detail"]
    assert checks["permissions"]["verdict"] == "skipped"


def test_a_proxy_that_is_dead_or_refuses_is_named(doctor):
    address = f"wss://198.18.0.1:{doctor.system.kas.port}/-/kubernetes-agent/"
    dead = towline.free_port()
    name, detail, remedy = doctor.failure(address, environment={"HTTPS_PROXY": f"http://127.0.0.1:{dead}"})
    assert name == "proxy" and f"HTTP proxy 127.0.0.1:{dead}" in detail and "HTTPS_PROXY" in remedy
    squid = proxies.Squid("opensesame")
    try:
        wrong = {"HTTPS_PROXY": f"http://agent:wrong@127.0.0.1:{squid.port}"}
        name, detail, remedy = doctor.failure(address, environment=wrong)
        assert name == "tcp" and f"HTTP proxy 127.0.0.1:{squid.port}" in detail and "user:password" in remedy
        assert "wrong" not in detail
        # A name that only the proxy can resolve, or could.
        right = {"HTTPS_PROXY": f"http://agent:opensesame@127.0.0.1:{squid.port}"}
        code, checks = doctor.run("wss://kas.invalid/-/kubernetes-agent/", environment=right)
        assert code == 1 and checks["dns"]["verdict"] == "ok" and "the proxy resolves it" in checks["dns"]["detail"]
        assert checks["proxy"]["verdict"] == "ok" and checks["tcp"]["verdict"] == "failed"
        # The server's certificate is for another name than this address: the way through the proxy is good.
        code, checks = doctor.run(address, environment=right)
        assert checks["tcp"]["verdict"] == "ok" and checks["tls"]["verdict"] == "failed"
    finally:
        squid.stop()


def test_the_log_tells_once_why_the_first_connection_fails(doctor):
    agent = towline.Agentk(doctor.folder, doctor.system.address("wss"), doctor.system.agent_token, doctor.kubeconfig)
    try:
        towline.wait_for(lambda: len(agent.process.log_lines("cannot connect to the server")) > 3, "several attempts")
        found = {each["check"]: each for each in agent.process.log_lines("doctor")}
        assert found["tls"]["verdict"] == "failed" and "config.kasCaCert" in found["tls"]["remedy"]
        assert found["tls"]["level"] == "error" and found["dns"]["level"] == "info"
        assert len(agent.process.log_lines("doctor")) == len(found)
    finally:
        agent.stop()


def test_an_agent_without_a_first_connection_says_why_and_ends(doctor, tmp_path):
    said = tmp_path / "termination-log"
    said.write_text("")
    agent = towline.Agentk(doctor.folder, doctor.system.address("grpcs"), "glagent-wrong", doctor.kubeconfig,
                           "--startup-timeout", "1", "--termination-log", said, ca_file=doctor.system.kas.ca_file)
    assert agent.process.process.wait(30) == 1
    message = said.read_text()
    assert message.startswith("not connected to the server within 1 s: token: the agent token is wrong or revoked. To do:")
    assert agent.process.log_lines("giving up")
    assert "glagent-wrong" not in agent.process.log() + message


def test_an_agent_that_cannot_start_leaves_the_reason(doctor, tmp_path):
    said = tmp_path / "termination-log"
    said.write_text("before")
    agent = towline.Agentk(doctor.folder, "http://localhost", "glagent-x", doctor.kubeconfig, "--termination-log", said)
    assert agent.process.process.wait(30) == 1
    assert said.read_text().startswith("cannot start: --kas-address")


def test_a_connected_agent_outlives_its_server_for_longer_than_the_first_connection_may_take(doctor, tmp_path):
    system = towline.System(tmp_path)
    try:
        agent = system.start_agent(doctor.kubeconfig, "wss", "--startup-timeout", "1")
        system.kas.process.kill()
        towline.wait_for(lambda: len(agent.process.log_lines("cannot connect to the server")) > 8, "many attempts")
        assert not agent.process.log_lines("doctor")
        system.kas.start()
        agent.wait_ready()
    finally:
        system.stop()


def test_a_token_that_was_replaced_in_its_file_is_used_for_the_next_connection(doctor, tmp_path):
    system = towline.System(tmp_path)
    try:
        agent = system.start_agent(doctor.kubeconfig)
        (system.folder / f"agent-token-{agent.metrics_port}").write_text(system.kas.agent_token(system.agent_id)["token"])
        path = f"/projects/root%2Fdemo/cluster_agents/{system.agent_id}/tokens/{system.agent_token_id}"
        system.kas.api("DELETE", path, expect=204)
        towline.wait_for(lambda: len(agent.process.log_lines("connected to the server")) > 1, "a new connection")
        towline.wait_for(lambda: system.request("/version")[0] == 200, "a request to pass")
    finally:
        system.stop()


def cli(system, *arguments):
    environment = {**os.environ, "TOWLINE_URL": system.kas.url, "TOWLINE_TOKEN": system.kas.TOKEN,
                   "TOWLINE_CA": str(system.kas.ca_file), "HOME": str(system.folder)}
    return subprocess.run([towline.BIN / "towline", "cluster", "agent", "doctor", *arguments, "-R", towline.PROJECT],
                          capture_output=True, text=True, timeout=90, env=environment)


def test_the_server_asks_a_connected_agent(shared):
    shown = cli(shared, towline.AGENT)
    assert shown.returncode == 0, shown.stderr
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["CHECK", *CHECKS]
    report = json.loads(cli(shared, towline.AGENT, "-o", "json").stdout)
    assert report["healthy"] and report["version"].startswith("v")
    assert [each["name"] for each in report["checks"]] == CHECKS


def test_an_agent_that_is_not_connected_cannot_be_asked(doctor):
    refused = cli(doctor.system, towline.AGENT)
    assert refused.returncode == 1 and "not connected" in refused.stderr and "agentk doctor" in refused.stderr
    assert cli(doctor.system, "nobody").returncode == 5


def test_an_agent_that_hangs_delays_only_those_who_ask_it_until_they_go(doctor, tmp_path):
    system = towline.System(tmp_path)
    kas = system.kas
    other = None
    try:
        agent = system.start_agent(doctor.kubeconfig)
        token = kas.agent_token(kas.register_agent("other"))["token"]
        other = towline.Agentk(system.folder, system.address("grpcs"), token, doctor.kubeconfig, ca_file=kas.ca_file)
        other.wait_ready()
        agent.process.process.send_signal(signal.SIGSTOP)
        path = f"/projects/root%2Fdemo/cluster_agents/{system.agent_id}/doctor"
        waiting = [kas.connect() for _ in range(2)]
        for each in waiting:
            each.sendall(f"POST /api/v4{path} HTTP/1.1\r\nHost: localhost\r\nPRIVATE-TOKEN: {kas.TOKEN}\r\n"
                         "Content-Length: 0\r\n\r\n".encode())
        towline.wait_for(lambda: kas.metrics()["kas_tunnels_busy"] == 2, "two questions to be asked")
        status, headers, body = kas.call("POST", path)
        assert (status, headers["Retry-After"]) == (429, "5") and b"being examined already" in body
        assert cli(system, "other").returncode == 0
        for each in waiting:
            each.close()
        towline.wait_for(lambda: kas.metrics()["kas_tunnels_busy"] == 0, "the questions to be taken back")
        agent.process.process.send_signal(signal.SIGCONT)
        assert cli(system, towline.AGENT).returncode == 0
    finally:
        if other:
            other.stop()
        system.stop()
