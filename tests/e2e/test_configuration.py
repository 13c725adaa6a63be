"""The configuration in Git reaches the connected agent, pushed by real git or written through the API."""

import os
import subprocess
import time

import pytest

import towline

LOGGING = "user_access:\n  access_as:\n    agent: {{}}\n  projects:\n    - id: root/demo\n" \
          "observability:\n  logging:\n    level: {}\n"


def git(*arguments, folder, ca_file=None, check=True):
    environment = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"}
    options = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com"]
    if ca_file:
        environment["GIT_SSL_CAINFO"] = str(ca_file)
    result = subprocess.run(["git", *options, *map(str, arguments)], cwd=folder, env=environment, capture_output=True,
                            text=True, timeout=60)
    if check:
        assert result.returncode == 0, result.stderr
    return result


class Checkout:
    """A clone of the demo project."""

    def __init__(self, system, folder):
        self.folder, self.system = folder / "checkout", system
        self.token = system.kas.personal_token(scopes=("write_repository", "read_repository"), name="git")
        self.url = f"https://root:{self.token}@localhost:{system.kas.port}/root/demo.git"
        git("clone", self.url, self.folder, folder=folder, ca_file=system.kas.ca_file)
        self.file = self.folder / ".gitlab/agents/demo/config.yaml"

    def push(self, text, message="Change the configuration"):
        """Commits and pushes the agent's file; returns the commit's id."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)
        git("add", "-A", folder=self.folder)
        git("commit", "-m", message, folder=self.folder)
        git("push", "origin", "HEAD", folder=self.folder, ca_file=self.system.kas.ca_file)
        return git("rev-parse", "HEAD", folder=self.folder).stdout.strip()


def applied(agent):
    return [line["commit_id"] for line in agent.process.log_lines("configuration applied")]


def test_a_push_reaches_the_agent_within_two_seconds(system, api, tmp_path):
    agent = system.start_agent(api.kubeconfig())
    checkout = Checkout(system, tmp_path)
    assert checkout.file.read_text() == towline.System.CONFIG
    for level in ("debug", "info", "warn"):
        commit = checkout.push(LOGGING.format(level))
        towline.wait_for(lambda: agent.process.log().count(commit) or (level == "warn"), "the push to arrive", 2)
    # At level warn the agent says nothing more of what it applies; the way back shows that it was applied.
    commit = checkout.push(LOGGING.format("info"))
    towline.wait_for(lambda: commit in applied(agent), "the last push to arrive", 2)


def test_a_write_through_the_api_reaches_the_agent_within_two_seconds(system, api):
    agent = system.start_agent(api.kubeconfig())
    count = len(towline.wait_for(lambda: applied(agent), "the first configuration"))
    system.kas.write_config(LOGGING.format("debug"))
    towline.wait_for(lambda: len(applied(agent)) > count, "the change to arrive", 2)


def test_an_unrelated_push_does_not_disturb_the_agent(system, api, tmp_path):
    agent = system.start_agent(api.kubeconfig())
    checkout = Checkout(system, tmp_path)
    towline.wait_for(lambda: applied(agent), "the first configuration")
    (checkout.folder / "README.md").write_text("unrelated\n")
    checkout.push(towline.System.CONFIG)
    commit = checkout.push(LOGGING.format("debug"))
    towline.wait_for(lambda: commit in applied(agent), "the change to arrive", 2)
    assert system.request("/echo")[0] == 200


@pytest.mark.parametrize("broken", ["user_access: [", "user_access:\n\tprojects: []\n", "- a list\n",
                                    "user_access:\n  projects: 7\n"])
def test_a_broken_file_leaves_the_last_good_one_in_force(system, api, tmp_path, broken):
    agent = system.start_agent(api.kubeconfig())
    checkout = Checkout(system, tmp_path)
    commit = checkout.push(broken)
    towline.wait_for(lambda: "config.yaml" in system.kas.process.log(), "the server to say what is wrong", 5)
    assert system.request("/echo")[0] == 200
    good = checkout.push(LOGGING.format("debug"))
    towline.wait_for(lambda: good in applied(agent), "the repaired file to arrive", 2)
    assert commit not in applied(agent)
    assert system.request("/echo")[0] == 200


def test_what_the_agent_missed_while_it_was_away_is_applied_when_it_is_back(system, api, tmp_path):
    agent = system.start_agent(api.kubeconfig())
    checkout = Checkout(system, tmp_path)
    agent.stop()
    commit = checkout.push(LOGGING.format("debug"))
    again = system.start_agent(api.kubeconfig())
    towline.wait_for(lambda: commit in applied(again), "the configuration", 5)


def test_a_reconnect_brings_nothing_twice(system, api):
    agent = system.start_agent(api.kubeconfig())
    before = towline.wait_for(lambda: applied(agent), "the first configuration")
    system.kas.kill_and_restart()
    towline.wait_for(lambda: system.request("/echo")[0] == 200, "the agent to be back", 5)
    assert applied(agent) == before


def test_without_a_file_the_agent_runs_with_the_defaults(tmp_path, api):
    system = towline.System(tmp_path, config=None)
    try:
        agent = system.start_agent(api.kubeconfig())
        assert agent.ready()
        assert system.request("/echo")[0] == 403
    finally:
        system.stop()


def test_clone_needs_a_token_and_the_right_one(system, tmp_path):
    url = f"https://localhost:{system.kas.port}/root/demo.git"
    for address in (url, url.replace("https://", "https://root:wrong@")):
        result = git("clone", address, tmp_path / "no", folder=tmp_path, ca_file=system.kas.ca_file, check=False)
        assert result.returncode != 0
    start = time.monotonic()
    Checkout(system, tmp_path)
    assert time.monotonic() - start < 10
