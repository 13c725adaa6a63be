"""The agent behind real HTTP proxies, squid and tinyproxy, as its environment names them."""

import pytest

import proxies
import towline

# A name that is not loopback's, so that proxies are asked; it means this machine.
NAME = "198.18.0.1"


@pytest.fixture
def behind(tmp_path, cluster):
    """A server at an address that is not loopback, and a way to start agents with an environment."""
    system = towline.System(tmp_path / "server", "--cleartext", "allow", host=NAME)
    started = []

    def start(environment, scheme="wss", wait=True, host=NAME, hosts=None):
        """`hosts`: a file that stands in the place of /etc/hosts for the agent alone."""
        path = "/-/kubernetes-agent/" if scheme.startswith("ws") else ""
        ca = system.kas.ca_file if scheme in ("wss", "grpcs") else None
        clean = {name: "" for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")}
        agent = towline.Agentk(system.folder, f"{scheme}://{host}:{system.kas.port}{path}", system.agent_token,
                               start.kubeconfig, "--kas-tls-server-name", NAME, ca_file=ca,
                               environment={**clean, **environment}, hosts=hosts)
        started.append(agent)
        if wait:
            agent.wait_ready()
        return agent

    start.system = system
    yield start
    for agent in started:
        if agent.process.running():
            agent.stop()
    system.stop()


@pytest.fixture(params=proxies.KINDS)
def make_proxy(request):
    """Starts a proxy of each kind."""
    started = []

    def make(password=None):
        started.append(proxies.KINDS[request.param](password))
        return started[-1]

    yield make
    for proxy in started:
        proxy.stop()


@pytest.mark.parametrize("scheme", ["wss", "grpcs", "ws", "grpc"])
def test_every_scheme_goes_through_the_proxy(behind, api, make_proxy, scheme):
    proxy = make_proxy()
    behind.kubeconfig = api.kubeconfig()
    variable = "HTTPS_PROXY" if scheme in ("wss", "grpcs") else "http_proxy"
    agent = behind({variable: proxy.url}, scheme)
    assert behind.system.request("/echo")[0] == 200
    assert agent.process.log_lines("the server is reached through an HTTP proxy")
    agent.stop()
    towline.wait_for(lambda: f"{NAME}:{behind.system.kas.port}" in proxy.requests(), "the proxy's log to name the server")


def test_credentials_of_the_proxys_address_are_used_and_not_shown(behind, api, make_proxy):
    proxy = make_proxy("opensesame")
    behind.kubeconfig = api.kubeconfig()
    agent = behind({"https_proxy": f"http://agent:open%73esame@127.0.0.1:{proxy.port}"})
    assert behind.system.request("/echo")[0] == 200
    assert "sesame" not in agent.process.log()


def test_what_a_proxy_refuses_is_said(behind, api, make_proxy):
    proxy = make_proxy("opensesame")
    behind.kubeconfig = api.kubeconfig()
    wrong = behind({"HTTPS_PROXY": f"http://agent:wrong@127.0.0.1:{proxy.port}"}, wait=False)
    towline.wait_for(lambda: f"HTTP proxy 127.0.0.1:{proxy.port}: it refused" in wrong.process.log()
                     or "(407)" in wrong.process.log(), "the refusal to be logged")
    assert not wrong.ready()


# A name for the server, known to the agent's process and to the proxy and to nobody else.
HOST = "kas.corp.test"


def exceptions(port):
    """NO_PROXY's entries, and whether each excepts HOST or NAME."""
    return [(HOST, HOST, True), (HOST, ".corp.test", True), (HOST, "corp.test", True), (HOST, f"{HOST}:{port}", True),
            (HOST, "*", True), (NAME, "198.18.0.0/15", True), (NAME, NAME, True), (NAME, f"{NAME}:{port}", True),
            (HOST, f".{HOST}", False), (HOST, "orp.test", False), (HOST, f"{HOST}:1", False),
            (NAME, "198.20.0.0/16", False), (NAME, "198.18.0.0/15:1", False)]


@pytest.mark.parametrize("scheme", ["wss", "grpcs", "ws", "grpc"])
def test_no_proxy_excepts_hosts_suffixes_networks_and_ports(behind, api, tmp_path, scheme):
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{NAME} {HOST}\n")
    squid = proxies.Squid(hosts=hosts.read_text())
    behind.kubeconfig = api.kubeconfig()
    secure = scheme in ("wss", "grpcs")
    try:
        for number, (host, entry, excepted) in enumerate(exceptions(behind.system.kas.port)):
            variables = ["HTTPS_PROXY" if secure else "HTTP_PROXY", "NO_PROXY"]
            names = [name.lower() if number % 2 else name for name in variables]
            agent = behind({names[0]: squid.url, names[1]: f"example.com, {entry}"}, scheme, host=host, hosts=hosts)
            direct = not agent.process.log_lines("the server is reached through an HTTP proxy")
            assert direct == excepted, f"{names[1]}={entry} for {scheme}://{host}"
            agent.stop()
    finally:
        squid.stop()


def test_the_agent_outlives_its_proxy(behind, api, make_proxy):
    first = make_proxy()
    behind.kubeconfig = api.kubeconfig()
    agent = behind({"HTTPS_PROXY": first.url})
    first.process.kill()
    towline.wait_for(lambda: f"HTTP proxy 127.0.0.1:{first.port}: connect" in agent.process.log(),
                     "the proxy to be missed by name")
    assert not agent.ready()
