"""The web page of a real server, used by a real browser: runs each of specs/ against a server of its own.

A spec finds in its environment where the server is, who may log in, and how to start an agent.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

import grpc
import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

import towline  # noqa: E402
import upstream  # noqa: E402
import wire  # noqa: E402

NODE = os.environ.get("TOWLINE_NODE") or shutil.which("node")
SPECS = sorted(path.name.removesuffix(".spec.mjs") for path in (HERE / "specs").glob("*.spec.mjs"))
SCREENSHOTS = towline.BIN.parent / "screenshots"
PASSWORD = "a sentence that nobody guesses"


@pytest.fixture
def kas(tmp_path):
    """A server with the projects root/demo and platform/infra/clusters, and `dev`, a developer of the first. The
    second has the agent fleet, whose two pods differ in version."""
    made = towline.Kas(tmp_path / "kas")
    project = made.create_project()
    top = made.api("POST", "/groups", {"name": "Platform", "path": "platform"}, expect=201)[1]
    infra = {"name": "Infra", "path": "infra", "parent_id": top["id"]}
    group = made.api("POST", "/groups", infra, expect=201)[1]
    made.api("POST", "/projects", {"name": "clusters", "namespace_id": group["id"], "visibility": "internal"}, expect=201)
    user = {"username": "dev", "name": "Dev", "email": "dev@example.com", "password": PASSWORD}
    dev = made.api("POST", "/users", user, expect=201)[1]
    member = {"user_id": dev["id"], "access_level": 30}
    made.api("POST", f"/projects/{project['id']}/members", member, expect=201)
    made.write_config(towline.System.CONFIG, agent="offered")
    with connected_pods(made, "fleet", "platform/infra/clusters", ["v0.1.0", "v9.9.0"]):
        yield made
    made.stop()


@contextlib.contextmanager
def connected_pods(kas, name, project, versions):
    """Registers an agent and follows its configuration as its pods do, one pod of each version."""
    agent_id = kas.register_agent(name, project)
    metadata = (("authorization", "Bearer " + kas.agent_token(agent_id, project)["token"]),)
    request = wire.load().agent_configuration.ConfigurationRequest()
    credentials = grpc.ssl_channel_credentials(kas.ca_file.read_bytes())
    with grpc.secure_channel(f"localhost:{kas.port}", credentials) as channel:
        calls = []
        for number, version in enumerate(versions):
            request.agent_meta.version = version
            request.agent_meta.pod_name = f"{name}-{number}"
            calls.append(channel.unary_stream(wire.GET_CONFIGURATION)(request.SerializeToString(), metadata=metadata))
            next(calls[-1])
        yield


@pytest.fixture
def cluster(tmp_path):
    made = upstream.Api(tmp_path)
    yield made
    made.stop()


@pytest.mark.parametrize("spec", SPECS)
def test_spec(spec, kas, cluster, tmp_path):
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "TOWLINE_URL": kas.url,
        "TOWLINE_TOKEN": kas.TOKEN,
        "TOWLINE_ROOT_PASSWORD": (kas.folder / "root-password").read_text(),
        "TOWLINE_DEV_PASSWORD": PASSWORD,
        "TOWLINE_BIN": str(towline.BIN),
        "TOWLINE_CA": str(kas.ca_file),
        "TOWLINE_KUBECONFIG": str(cluster.kubeconfig()),
        "TOWLINE_FOLDER": str(tmp_path),
        "TOWLINE_SCREENSHOTS": str(SCREENSHOTS),
        "NODE_EXTRA_CA_CERTS": str(kas.ca_file),
    }
    run = subprocess.run([NODE, "--test", "--test-reporter=spec", HERE / "specs" / f"{spec}.spec.mjs"],
                         env=environment, capture_output=True, text=True, timeout=280)
    print(run.stdout, run.stderr)
    assert run.returncode == 0, run.stdout[-6000:]
