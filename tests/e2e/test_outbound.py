"""Whom the server may be made to dial, and how its operator allows more."""

import subprocess

import pytest

import towline

REFUSED = {
    "grpcs://169.254.169.254:443": "169.254.169.254 is a link-local address",
    "grpc://[::ffff:10.0.0.1]:80": "10.0.0.1 is a private address",
    "grpcs://localhost": "localhost is a name of this machine",
}


@pytest.fixture
def make_kas(tmp_path):
    """Starts a server with flags of its own."""
    servers = []

    def make(*flags):
        servers.append(towline.Kas(tmp_path / f"kas-{len(servers)}", *flags))
        servers[-1].create_project()
        return servers[-1]
    yield make
    for kas in servers:
        kas.stop()


def make_receptive(kas, name, url):
    path = f"/projects/{towline.quote(towline.PROJECT)}/cluster_agents/{kas.register_agent(name)}/url_configurations"
    status, answer = kas.api("POST", path, {"url": url})
    return status, answer.get("message") or answer.get("url")


def test_an_agent_in_the_servers_own_network_is_refused_with_the_way_to_allow_it(make_kas):
    kas = make_kas()
    for number, (url, why) in enumerate(REFUSED.items()):
        status, message = make_receptive(kas, f"a{number}", url)
        reason, advice = message.split("; it is dialled only with ")
        assert (status, reason) == (400, f"url: {why}")
        allowing = make_kas(*advice.split())
        assert make_receptive(allowing, "a", url) == (201, url)
    assert make_receptive(kas, "public", "grpcs://agent.example.com") == (201, "grpcs://agent.example.com")


@pytest.mark.parametrize("way", ["flags", "file"])
def test_the_operator_allows_it(make_kas, tmp_path, way):
    entries = ("169.254.169.254:443", "10.0.0.0/8", "localhost")
    if way == "flags":
        kas = make_kas(*(word for entry in entries for word in ("--outbound-allow", entry)))
    else:
        (tmp_path / "kas.yaml").write_text("outbound-allow:\n" + "".join(f"  - {entry}\n" for entry in entries))
        kas = make_kas("--config", tmp_path / "kas.yaml")
    for number, url in enumerate(REFUSED):
        assert make_receptive(kas, f"a{number}", url) == (201, url)
    assert make_receptive(kas, "other", "grpcs://192.168.0.1")[0] == 400


def test_a_wrong_entry_ends_the_start_and_is_named(tmp_path):
    (tmp_path / "kas.yaml").write_text("outbound-allow: [10.0.0.0/8, 10.0.0.0/33]\n")
    for flags in (("--outbound-allow", "10.0.0.0/33"), ("--config", tmp_path / "kas.yaml")):
        done = subprocess.run([towline.BIN / "kas", "--data-dir", tmp_path / "data", *flags], capture_output=True,
                              text=True, timeout=30)
        assert done.returncode == 2 and '--outbound-allow: "10.0.0.0/33" is not a network' in done.stderr
