"""Changes of the agent's configuration file, and what follows from them."""

import os
import subprocess
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
    assert debug_lines() == seen, "without a level in the configuration it is info again"


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


class Git:
    """git as a person with a personal access token uses it: what is secret stands in a file, not in arguments."""

    def __init__(self, system, folder, password, user="root"):
        self.url = f"{system.kas.url}/{towline.PROJECT}.git"
        self.clone = folder / "clone"
        (folder / "password").write_text(password)
        ask = folder / "askpass"
        ask.write_text(f'#!/bin/sh\ncase "$1" in Username*) echo {user};; *) cat {folder}/password;; esac\n')
        ask.chmod(0o700)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "GIT_ASKPASS": str(ask), "GIT_TERMINAL_PROMPT": "0",
            "GIT_SSL_CAINFO": str(system.kas.ca_file), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C",
            "GIT_AUTHOR_NAME": "E", "GIT_AUTHOR_EMAIL": "e@example.com",
            "GIT_COMMITTER_NAME": "E", "GIT_COMMITTER_EMAIL": "e@example.com"}

    def run(self, *arguments, check=True, folder=None):
        result = subprocess.run(["git", *map(str, arguments)], cwd=folder or self.clone, env=self.environment,
                                capture_output=True, text=True, timeout=60)
        if check:
            assert result.returncode == 0, f"git {arguments}: {result.stderr}"
        return result

    def clone_it(self, **options):
        return self.run("clone", self.url, self.clone, folder=self.clone.parent, **options)

    def push_config(self, text):
        """Commits and pushes the file; returns the commit."""
        file = self.clone / f".gitlab/agents/{towline.AGENT}/config.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.run("add", ".")
        self.run("commit", "-m", "Change the configuration")
        self.run("push", "origin", "HEAD:main")
        return self.run("rev-parse", "HEAD").stdout.strip()


def test_a_push_reaches_the_agent_within_two_seconds(configured, tmp_path):
    git = Git(configured, tmp_path, configured.kas.TOKEN)
    git.clone_it()
    assert git.run("rev-parse", "HEAD").stdout.strip() == head(configured)
    assert (git.clone / f".gitlab/agents/{towline.AGENT}/config.yaml").read_text() == GOOD
    commit = git.push_config(DEBUG)
    towline.wait_for(lambda: applied(configured)[-1] == commit, "the agent to apply the push", 2)
    assert head(configured) == commit
    git.push_config("user_access: [")
    assert configured.request("/version")[0] == 200
    assert applied(configured)[-1] == commit, "a broken file keeps the last good configuration"
    git.push_config("observability: {}\n")
    code, _, body = configured.request("/version")
    assert code == 403 and b"user_access" in body, body
    commit = git.push_config(GOOD)
    assert configured.request("/version")[0] == 200
    towline.wait_for(lambda: applied(configured)[-1] == commit, "the agent to apply the push", 2)
    # What the API commits is what git fetches.
    configured.kas.write_config(DEBUG)
    git.run("pull", "--ff-only", "origin", "main")
    assert git.run("rev-parse", "HEAD").stdout.strip() == head(configured)


def test_git_refuses_wrong_passwords(configured, tmp_path):
    (tmp_path / "good").mkdir()
    good = Git(configured, tmp_path / "good", configured.kas.TOKEN)
    good.clone_it()
    before = head(configured)
    for number, password in enumerate(("wrong", "", "correct horse battery stable", configured.agent_token,
                                       configured.token)):
        folder = tmp_path / str(number)
        folder.mkdir()
        bad = Git(configured, folder, password)
        result = bad.clone_it(check=False)
        assert result.returncode != 0 and not bad.clone.exists(), password
        assert "Authentication failed" in result.stderr or "403" in result.stderr, result.stderr
        bad.clone = good.clone
        (good.clone / "file").write_text(str(number))
        bad.run("add", ".")
        bad.run("commit", "-m", "Not to be")
        assert bad.run("push", "origin", "HEAD:main", check=False).returncode != 0
        assert head(configured) == before


def test_a_token_that_may_read_cannot_push(configured, tmp_path):
    git = Git(configured, tmp_path, configured.kas.personal_token(("read_repository",)))
    git.clone_it()
    before = head(configured)
    (git.clone / "file").write_text("text")
    git.run("add", ".")
    git.run("commit", "-m", "Not to be")
    assert git.run("push", "origin", "HEAD:main", check=False).returncode != 0
    assert head(configured) == before
