"""Who a client is behind a reverse proxy: a real nginx in front of the server, and clients of several addresses."""

import http.client
import json
import ssl
import subprocess

import pytest

import towline

PROXY, CLIENT, OTHER = "127.0.0.2", "127.0.0.3", "127.0.0.4"
NGINX = """
location / {{ proxy_pass {url}; proxy_bind {proxy}; proxy_http_version 1.1; proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade; proxy_buffering off; }}
"""
BURST = 20  # wrong credentials that one address has at once


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """A server that trusts the proxy, and the proxy."""
    folder = tmp_path_factory.mktemp("trusted")
    system = towline.System(folder, "--trusted-proxy", PROXY)
    proxy = towline.Upstream(folder, NGINX.format(url=system.kas.url, proxy=PROXY))
    yield system, proxy
    proxy.stop()
    system.stop()


def status(port, ca_file, address, headers):
    """Of a request for one's own user, from an address of loopback."""
    connection = http.client.HTTPSConnection("localhost", port, timeout=30, source_address=(address, 0),
                                             context=ssl.create_default_context(cafile=str(ca_file)))
    try:
        connection.request("GET", "/api/v4/user", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def wrong_tokens(port, ca_file, address, forwarded=lambda i: {}):
    return [status(port, ca_file, address, {"PRIVATE-TOKEN": f"glpat-wrong{i}", **forwarded(i)}) for i in range(BURST + 5)]


def test_wrong_tokens_count_for_the_client_behind_the_proxy(behind):
    system, proxy = behind
    assert 429 in wrong_tokens(proxy.port, proxy.ca_file, CLIENT)
    # What the client invents is not believed: the proxy has written behind it whom it saw.
    assert status(proxy.port, proxy.ca_file, CLIENT, {"PRIVATE-TOKEN": "glpat-x", "X-Forwarded-For": "203.0.113.9"}) == 429
    assert status(proxy.port, proxy.ca_file, OTHER, {"PRIVATE-TOKEN": "glpat-x"}) == 401


def test_who_is_no_proxy_cannot_invent_addresses(behind):
    system, _ = behind
    seen = wrong_tokens(system.kas.port, system.kas.ca_file, "127.0.0.5", lambda i: {"X-Forwarded-For": f"203.0.113.{i}"})
    assert seen[:BURST] == [401] * BURST and seen[-1] == 429


def test_without_the_flag_all_behind_a_proxy_are_one(tmp_path):
    kas = towline.Kas(tmp_path / "kas")
    proxy = towline.Upstream(tmp_path, NGINX.format(url=kas.url, proxy=PROXY))
    try:
        assert 429 in wrong_tokens(proxy.port, proxy.ca_file, CLIENT)
        assert status(proxy.port, proxy.ca_file, OTHER, {"PRIVATE-TOKEN": "glpat-x"}) == 429
    finally:
        proxy.stop()
        kas.stop()


def lines(system, message):
    return [line for line in map(json.loads, system.kas.process.log().splitlines()) if line["msg"] == message]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_the_log_names_the_client(behind, cluster, version):
    """The audit line of a proxied request, over both HTTPs; and an agent's WebSocket through nginx."""
    system, proxy = behind
    if not system.agents:
        agent = towline.Agentk(system.folder, f"wss://localhost:{proxy.port}/-/kubernetes-agent/", system.agent_token,
                               cluster["KUBECONFIG"], ca_file=proxy.ca_file)
        system.agents.append(agent)
        agent.wait_ready()
    assert lines(system, "agent connected")[0]["peer"] == "127.0.0.1"  # without a port: it came by the header
    client = "2001:db8::9" if version == "--http2" else "203.0.113.9"
    subprocess.run(["curl", "-sf", version, "--interface", PROXY, "--cacert", system.kas.ca_file, "--header",
                    f"Authorization: Bearer {system.bearer}", "--header", f"X-Forwarded-For: 198.51.100.1, {client}",
                    system.proxy_url("/version")], check=True, capture_output=True)
    expected = f"[{client}]" if ":" in client else client
    towline.wait_for(lambda: lines(system, "request") and lines(system, "request")[-1]["peer"] == expected, "the audit line")


def test_what_is_no_network_is_refused_at_the_start(tmp_path):
    result = subprocess.run([towline.BIN / "kas", "--data-dir", tmp_path, "--trusted-proxy", "ingress.example.com"],
                            capture_output=True, text=True)
    assert result.returncode == 2 and '--trusted-proxy: "ingress.example.com" is neither' in result.stderr
