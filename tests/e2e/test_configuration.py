"""Changes of the agent's configuration file, and what follows from them."""

import time

import pytest

import towline

GOOD = towline.System.CONFIG
DEBUG = GOOD + "observability:\n  logging:\n    level: debug\n"


def applied(system):
    """The commits that the agent has applied, oldest first."""
    return [line["commit_id"] for line in system.agents[0].process.log_lines("configuration applied")]


def head(system):
    """The newest commit of the project."""
    path = "/projects/" + towline.quote(towline.PROJECT) + "/repository/branches/main"
    return system.kas.api("GET", path, expect=200)[1]["commit"]["id"]


@pytest.fixture
def configured(connected):
    """An agent that has applied what there is."""
    towline.wait_for(lambda: applied(connected) == [head(connected)], "the first configuration", 5)
    return connected


def reconnect(system):
    """The agent loses the server and finds it again; which it reports on level debug."""
    system.kas.kill_and_restart()
    towline.wait_for(lambda: system.request("/version")[0] == 200, "the agent to be back")
    towline.wait_for(system.agents[0].ready, "the agent to be ready")


def test_a_commit_through_the_api_reaches_the_agent_within_two_seconds(configured):
    begin = time.monotonic()
    configured.kas.write_config(DEBUG)
    commit = head(configured)
    towline.wait_for(lambda: applied(configured)[-1] == commit, "the agent to apply the commit", 2)
    assert time.monotonic() - begin < 2.0
    assert len(applied(configured)) == 2
    assert configured.request("/version")[0] == 200


def test_the_level_of_logging_is_the_configurations(configured):
    def debug_lines():
        return configured.agents[0].process.log().count('"level":"debug"')
    reconnect(configured)
    assert debug_lines() == 0
    configured.kas.write_config(DEBUG)
    towline.wait_for(lambda: len(applied(configured)) == 2, "the agent to apply the commit", 2)
    reconnect(configured)
    towline.wait_for(debug_lines, "lines of level debug", 5)
    assert len(applied(configured)) == 2, "a configuration that the agent has is not sent again"
    configured.kas.write_config(GOOD)
    towline.wait_for(lambda: len(applied(configured)) == 3, "the agent to apply the commit", 2)
    seen = debug_lines()
    reconnect(configured)
    assert debug_lines() == seen, "without a level in the configuration the one of the start counts again"


def test_a_broken_file_keeps_the_last_good_configuration(configured):
    for broken in ("user_access: [", "user_access:\n  projcts: []\n", "observability:\n  logging:\n    level: loud\n",
                   "just text", "- a\n- list\n"):
        configured.kas.write_config(broken)
        assert configured.request("/version")[0] == 200, broken
    # A change that the agent gets is the proof that it got none of those before.
    configured.kas.write_config(DEBUG)
    commit = head(configured)
    towline.wait_for(lambda: applied(configured)[-1] == commit, "the agent to apply the repaired file", 2)
    assert len(applied(configured)) == 2
    assert configured.request("/version")[0] == 200


def test_a_broken_file_keeps_the_last_good_configuration_over_a_restart(configured):
    configured.kas.write_config("user_access: [")
    reconnect(configured)
    assert configured.request("/version")[0] == 200
    assert len(applied(configured)) == 1


def test_user_access_counts_from_the_next_request_on(configured):
    for _ in range(3):
        assert configured.request("/version")[0] == 200
        configured.kas.write_config("observability: {}\n")
        code, _, body = configured.request("/version")
        assert code == 403 and b"user_access" in body, body
        configured.kas.write_config(GOOD)
    assert configured.request("/version")[0] == 200
