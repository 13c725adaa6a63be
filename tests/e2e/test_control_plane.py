"""What people see of their agents: log-in, states, activity, verdicts, protection of branches, with real programs."""

import http.cookiejar
import json
import ssl
import subprocess
import urllib.error
import urllib.request

import towline
from test_configuration import Checkout, git


class Browser:
    """A client with cookies, as a browser has them."""

    def __init__(self, kas):
        self.url = kas.url
        self.jar = http.cookiejar.CookieJar()
        self.csrf = None
        context = ssl.create_default_context(cafile=str(kas.ca_file))
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context),
                                                  urllib.request.HTTPCookieProcessor(self.jar))

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + "/api/v4" + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self.csrf:
            request.add_header("X-CSRF-Token", self.csrf)
        try:
            with self.opener.open(request, timeout=30) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        return status, json.loads(text) if text else None

    def log_in(self, login, password):
        status, answer = self.call("POST", "/session", {"login": login, "password": password})
        if status == 201:
            self.csrf = answer["csrf_token"]
        return status


AGENTS = "/projects/root%2Fdemo/cluster_agents"


def agent_of(system):
    return system.kas.api("GET", f"{AGENTS}/{system.agent_id}?with_status=true", expect=200)[1]


def state_of(system):
    return agent_of(system)["status"]["state"]


def activity_of(system):
    events = system.kas.api("GET", f"{AGENTS}/{system.agent_id}/activity", expect=200)[1]
    return [event["kind"] for event in events]


def test_a_person_logs_in_works_and_logs_out(system):
    browser = Browser(system.kas)
    assert browser.log_in("root", "wrong") == 401
    assert browser.log_in("root", "correct horse battery staple") == 201
    [cookie] = list(browser.jar)
    assert cookie.name == "__Host-towline_session" and cookie.secure and cookie.has_nonstandard_attr("HttpOnly")
    assert browser.call("GET", "/user")[1]["username"] == "root"
    assert browser.call("POST", "/projects", {"name": "by-hand"})[0] == 201
    browser.csrf = "wrong"
    assert browser.call("POST", "/projects", {"name": "by-another-site"})[0] == 403
    browser.csrf = browser.call("GET", "/session")[1]["csrf_token"]
    # A session outlives the server's restart.
    system.kas.kill_and_restart()
    assert browser.call("GET", "/user")[0] == 200
    assert browser.call("DELETE", "/session")[0] == 204
    assert browser.call("GET", "/user")[0] == 401
    assert "correct horse" not in system.kas.process.log()


def test_the_list_tells_who_is_connected_with_what(system, api):
    assert state_of(system) == "never_connected"
    agent = system.start_agent(api.kubeconfig())
    towline.wait_for(lambda: state_of(system) == "connected", "the agent to be shown as connected")
    shown = agent_of(system)
    assert shown["status"]["versions"] == ["v0.1.0"] and not shown["status"]["warnings"]
    assert shown["configuration"]["state"] == "valid"
    assert shown["configuration"]["path"] == ".gitlab/agents/demo/config.yaml"
    [pod] = system.kas.api("GET", f"{AGENTS}/{system.agent_id}/connections", expect=200)[1]
    assert pod["version"] == "v0.1.0"
    agent.stop()
    towline.wait_for(lambda: state_of(system) == "disconnected", "the agent to be shown as gone")
    kinds = activity_of(system)
    assert kinds[-3:] == ["token_created", "configuration_applied", "agent_created"] and "agent_connected" in kinds


def test_an_agent_killed_without_a_word_is_shown_as_gone(system, api):
    agent = system.start_agent(api.kubeconfig())
    towline.wait_for(lambda: state_of(system) == "connected", "the agent to be shown as connected")
    agent.process.kill()
    towline.wait_for(lambda: state_of(system) == "disconnected", "the agent to be shown as gone")
    towline.wait_for(lambda: activity_of(system)[0] == "agent_disconnected", "the departure to be noted")


def test_a_server_that_died_does_not_leave_agents_connected(system, api):
    agent = system.start_agent(api.kubeconfig())
    towline.wait_for(lambda: state_of(system) == "connected", "the agent to be shown as connected")
    agent.process.process.send_signal(19)  # SIGSTOP: it cannot come back
    try:
        system.kas.kill_and_restart()
        assert state_of(system) == "disconnected"
    finally:
        agent.process.process.send_signal(18)
    towline.wait_for(lambda: state_of(system) == "connected", "the agent to come back")


def test_a_revoked_token_ends_the_connection_and_is_noted(system, api):
    agent = system.start_agent(api.kubeconfig())
    towline.wait_for(lambda: state_of(system) == "connected", "the agent to be shown as connected")
    system.kas.api("DELETE", f"{AGENTS}/{system.agent_id}/tokens/{system.agent_token_id}", expect=204)
    towline.wait_for(lambda: state_of(system) == "disconnected", "the agent to be cut off")
    assert activity_of(system)[0] == "token_revoked"
    agent.process.kill()


def test_a_broken_file_is_shown_with_its_line_and_the_last_good_one_stays(system, api):
    system.start_agent(api.kubeconfig())
    system.kas.write_config("observability:\n  logging:\n    level: loud\n")
    verdict = agent_of(system)["configuration"]
    assert verdict["state"] == "invalid"
    assert verdict["fault"].startswith(".gitlab/agents/demo/config.yaml:3:12:")
    assert activity_of(system)[0] == "configuration_refused"
    assert system.request("/echo")[0] == 200  # by the last good file's user_access


def test_real_git_meets_protected_branches(system, tmp_path):
    checkout = Checkout(system, tmp_path)
    checkout.push("")
    developer = system.kas.api("POST", "/users", {"username": "dev", "name": "Dev", "email": "dev@example.com",
                                                  "password": "correct horse"}, expect=201)[1]
    system.kas.api("POST", "/projects/root%2Fdemo/members", {"user_id": developer["id"], "access_level": 30},
                   expect=201)
    token = system.kas.api("POST", f"/users/{developer['id']}/personal_access_tokens",
                           {"name": "git", "scopes": ["write_repository"]}, expect=201)[1]["token"]
    url = f"https://dev:{token}@localhost:{system.kas.port}/root/demo.git"
    git("commit", "--allow-empty", "-m", "more", folder=checkout.folder)
    refused = git("push", url, "HEAD:main", folder=checkout.folder, ca_file=system.kas.ca_file, check=False)
    assert refused.returncode != 0 and "not allowed to push into the protected branch" in refused.stderr
    git("push", url, "HEAD:topic", folder=checkout.folder, ca_file=system.kas.ca_file)
    audit = system.kas.api("GET", "/audit_events?per_page=100", expect=200)[1]
    assert [event["author_name"] for event in audit if event["action"] == "git push"] == ["dev", "root"]
    assert audit[0]["target"] == "root/demo: refs/heads/topic" and audit[0]["ip_address"]
    assert any(event["action"] == "POST /projects/:id/members" and event["author_name"] == "root" for event in audit)


def test_the_description_of_the_api_is_valid_json_that_tools_read(system):
    """By curl, as people fetch it, and without a token."""
    text = subprocess.run(["curl", "-sf", "--cacert", str(system.kas.ca_file), system.kas.url + "/api/v4/openapi.json"],
                          check=True, capture_output=True, timeout=30).stdout
    description = json.loads(text)
    assert description["openapi"].startswith("3.1")
    assert "/projects/{id}/cluster_agents/{agent_id}/tokens" in description["paths"]
