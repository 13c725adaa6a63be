"""Who may use an agent, as whom, and what the cluster gets to see of it."""

import json
import time
import urllib.error
import urllib.request

import pytest

import towline

AS_USER = "user_access:\n  access_as:\n    user: {}\n  projects:\n    - id: root/demo\n"


@pytest.fixture(scope="module")
def echo(tmp_path_factory, api):
    """A system whose cluster echoes requests."""
    made = towline.System(tmp_path_factory.mktemp("echo"))
    made.start_agent(api.kubeconfig())
    yield made
    made.stop()


def status_of(answer, code):
    """The answer is the server's own error: returns its message."""
    status, headers, body = answer
    assert status == code, (status, body)
    assert headers["Content-Type"].startswith("application/json")
    decoded = json.loads(body)
    assert (decoded["kind"], decoded["status"], decoded["code"]) == ("Status", "Failure", code)
    assert decoded["message"].startswith("kas: ")
    assert (headers["Gitlab-Unauthorized"] == "true") == (code == 401)
    return decoded["message"]


@pytest.mark.parametrize("bearer", ["{id}:{token}", "pat:{id}:", "pat:{id}:glpat-wrong", "pat::{token}", "pat:x:{token}",
                                    "pat:-1:{token}", "pat:99999999999999999999:{token}", "{token}", "ci:{id}:{token}",
                                    "pat:{id}:{token}x", "pat:{id}:{agent_token}"])
def test_a_wrong_credential_is_401(echo, bearer):
    token = bearer.format(id=echo.agent_id, token=echo.token, agent_token=echo.agent_token)
    assert status_of(echo.request("/echo", token=token), 401)


def test_no_credential_or_another_scheme_is_401(echo):
    assert "Authorization" in status_of(echo.request("/echo", token=""), 401)
    assert status_of(echo.request("/echo", token="", headers={"Authorization": "Basic cm9vdDpyb290"}), 401)


def test_a_revoked_token_is_401_from_the_next_request_on(echo):
    token = echo.kas.personal_token(name="to be revoked")
    bearer = f"pat:{echo.agent_id}:{token}"
    assert echo.request("/echo", token=bearer)[0] == 200
    own = echo.kas.api("GET", "/personal_access_tokens", expect=200)[1]
    token_id = next(each["id"] for each in own if each["name"] == "to be revoked")
    echo.kas.api("DELETE", f"/personal_access_tokens/{token_id}", expect=204)
    status_of(echo.request("/echo", token=bearer), 401)


def test_an_expired_token_is_401(echo):
    token = echo.kas.personal_token(name="to expire")
    assert echo.kas.change_rows("UPDATE personal_access_tokens SET expires_at = 1 WHERE name = 'to expire'") == 1
    status_of(echo.request("/echo", token=f"pat:{echo.agent_id}:{token}"), 401)


def test_a_token_of_another_server_is_401(echo, tmp_path):
    other = towline.Kas(tmp_path / "other")
    try:
        foreign = other.personal_token()
    finally:
        other.stop()
    status_of(echo.request("/echo", token=f"pat:{echo.agent_id}:{foreign}"), 401)


def test_a_token_without_the_scope_is_403(echo):
    token = echo.kas.personal_token(scopes=("read_repository",))
    assert "k8s_proxy" in status_of(echo.request("/echo", token=f"pat:{echo.agent_id}:{token}"), 403)


@pytest.mark.parametrize("config", [None, "", "user_access:\n  access_as:\n    agent: {}\n  projects: []\n",
                                    "observability:\n  logging:\n    level: info\n"])
def test_without_user_access_it_is_403(tmp_path, config):
    made = towline.System(tmp_path, config=config)
    try:
        assert "user_access" in status_of(made.request("/api"), 403)
    finally:
        made.stop()


def test_access_follows_the_configuration(tmp_path, api):
    made = towline.System(tmp_path)
    try:
        made.start_agent(api.kubeconfig())
        assert made.request("/echo")[0] == 200
        made.kas.write_config("")
        towline.wait_for(lambda: made.request("/echo")[0] == 403, "access to end", 2)
        made.kas.write_config(towline.System.CONFIG)
        towline.wait_for(lambda: made.request("/echo")[0] == 200, "access to come back", 2)
    finally:
        made.stop()


def test_the_cluster_sees_the_agents_credential_and_not_the_users(echo):
    status, _, body = echo.request("/echo?a=1&b=x%20y&a=2", headers={
        "Cookie": "_gitlab_kas=secret", "Gitlab-Agent-Id": "1", "X-Csrf-Token": "secret", "X-Custom": "kept",
        "Accept": "application/json;as=Table"})
    assert status == 200
    assert b"secret" not in body and echo.token.encode() not in body
    seen = json.loads(body)
    headers = dict(seen["headers"])
    assert headers["authorization"] == "Bearer the-agents-own-token"
    assert headers["x-custom"] == "kept" and headers["accept"] == "application/json;as=Table"
    assert "via" in headers and "cookie" not in headers and "x-csrf-token" not in headers
    assert not [name for name in headers if name.startswith("impersonate")]
    path, query = seen["path"].split("?")
    assert path == "/echo" and sorted(query.replace("+", "%20").split("&")) == ["a=1", "a=2", "b=x%20y"]


@pytest.mark.parametrize("method, body", [("POST", b"x" * 200_000), ("PUT", b""), ("PATCH", b"{}"), ("DELETE", None)])
def test_methods_and_bodies_arrive(echo, method, body):
    status, _, answer = echo.request("/echo", method, body)
    seen = json.loads(answer)
    assert (status, seen["method"], seen["body"]) == (200, method, len(body or b""))


def test_access_as_user_impersonates_with_name_groups_and_origin(tmp_path, api):
    made = towline.System(tmp_path, config=AS_USER)
    try:
        made.start_agent(api.kubeconfig())
        project = made.kas.api("GET", "/projects/root%2Fdemo", expect=200)[1]["id"]
        seen = json.loads(made.request("/echo")[2])["headers"]
        assert ["impersonate-user", "gitlab:user:root"] in seen
        groups = {value for name, value in seen if name == "impersonate-group"}
        assert {"gitlab:user"} | {f"gitlab:project_role:{project}:{role}" for role in
                                  ("reporter", "developer", "maintainer", "owner")} <= groups
        extra = {name: value for name, value in seen if name.startswith("impersonate-extra-")}
        assert extra["impersonate-extra-agent.gitlab.com%2fid"] == str(made.agent_id)
        assert extra["impersonate-extra-agent.gitlab.com%2fusername"] == "root"
        assert extra["impersonate-extra-agent.gitlab.com%2fconfig_project_id"] == str(project)
        refused = made.request("/echo", headers={"Impersonate-User": "system:admin"})
        assert "impersonat" in status_of(refused, 400)
    finally:
        made.stop()


def test_access_as_user_is_what_rbac_decides(tmp_path, cluster, make_kubectl, direct, namespace):
    made = towline.System(tmp_path, config=AS_USER)
    here = direct.inside(namespace)
    try:
        made.start_agent(cluster["KUBECONFIG"])
        through = make_kubectl(made.kubeconfig()).inside(namespace)
        denied = through.run("get", "secrets", check=False)
        assert denied.returncode == 1 and b'User "gitlab:user:root" cannot list' in denied.stderr, denied.stderr
        project = made.kas.api("GET", "/projects/root%2Fdemo", expect=200)[1]["id"]
        here.run("create", "role", "reader", "--verb=list", "--resource=secrets")
        here.run("create", "rolebinding", "reader", "--role=reader", f"--group=gitlab:project_role:{project}:developer")
        towline.wait_for(lambda: through.run("get", "secrets", check=False).returncode == 0, "the role to count", 10)
    finally:
        here.run("delete", "role,rolebinding", "reader", "--ignore-not-found")
        made.stop()


def test_a_user_may_impersonate_where_access_is_as_the_agent(echo):
    seen = json.loads(echo.request("/echo", headers={"Impersonate-User": "jane"})[2])["headers"]
    assert ["impersonate-user", "jane"] in seen


def test_a_revoked_agent_token_ends_the_connection(tmp_path, api):
    made = towline.System(tmp_path)
    try:
        agent = made.start_agent(api.kubeconfig())
        assert made.request("/echo")[0] == 200
        made.kas.api("DELETE", f"/projects/root%2Fdemo/cluster_agents/{made.agent_id}/tokens/{made.agent_token_id}",
                     expect=204)
        towline.wait_for(lambda: made.request("/echo")[0] == 503, "the agent to be gone", 5)
        towline.wait_for(lambda: not agent.ready(), "the agent to say that it is not ready", 5)
    finally:
        made.stop()


def test_the_audit_line_names_who_did_what(echo):
    assert echo.request("/echo/audited", "POST", b"{}")[0] == 200
    lines = towline.wait_for(lambda: [line for line in echo.kas.process.log_lines("request")
                                      if line.get("path", "").endswith("/echo/audited")], "the line", 5)
    assert lines[0]["user"] == "root" and lines[0]["method"] == "POST" and lines[0]["status"] == 200
    assert lines[0]["agent_id"] == echo.agent_id
    assert echo.token not in echo.kas.process.log()


def test_what_runs_ends_when_its_token_is_revoked(echo):
    token = echo.kas.personal_token(name="of a watch")
    own = echo.kas.api("GET", "/personal_access_tokens", expect=200)[1]
    token_id = next(each["id"] for each in own if each["name"] == "of a watch")
    with echo.kas.connect(["http/1.1"]) as sock:
        sock.sendall((f"GET /k8s-proxy/chunks?n=1000&each=0.05 HTTP/1.1\r\nHost: a\r\n"
                      f"Authorization: Bearer pat:{echo.agent_id}:{token}\r\n\r\n").encode())
        while b"chunk 0" not in sock.recv(65536):
            pass
        echo.kas.api("DELETE", f"/personal_access_tokens/{token_id}", expect=204)
        revoked = time.monotonic()
        while sock.recv(65536):
            assert time.monotonic() - revoked < 10
        assert towline.SANITIZED or time.monotonic() - revoked < 3


@pytest.mark.parametrize("path", ["/", "/version", "/api", "/api/v1/pods", "/apis", "/-/k8s-proxy/api", "/-/kubernetes-agent/",
                                  "/-/kubernetes-agent/k8s-proxyX/api", "/k8s-proxyX", "//-/kubernetes-agent/k8s-proxy/api"])
def test_a_client_of_kubernetes_at_a_wrong_path_is_told_the_right_one(echo, path):
    request = urllib.request.Request(echo.kas.url + path, headers={
        "Accept": "application/json, */*", "User-Agent": "kubectl/v1.35.2 (linux/amd64) kubernetes/abc"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=20, context=echo.kas.tls())
    message = status_of((error.value.code, error.value.headers, error.value.read()), 404)
    assert echo.proxy_url("/") in message


def test_a_browser_gets_the_page(echo):
    request = urllib.request.Request(echo.kas.url + "/root/demo", headers={"Accept": "text/html,application/json"})
    with urllib.request.urlopen(request, timeout=20, context=echo.kas.tls()) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
