"""Each file here is one kind of enemy: a hostile agent, API server, client, repository, tenant."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import towline  # noqa: E402
import upstream  # noqa: E402


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    """An API server of the tests' own that says what it was asked."""
    made = upstream.Api(tmp_path_factory.mktemp("api"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def system(tmp_path_factory, api):
    """A server that is started as a user starts it, with an agent of that API server; shared by a file's tests."""
    made = towline.System(tmp_path_factory.mktemp("besieged"))
    made.start_agent(api.kubeconfig())
    yield made
    made.stop()
