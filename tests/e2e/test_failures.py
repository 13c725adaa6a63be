"""What the client sees when something is missing, broken or forbidden."""

import base64
import calendar
import contextlib
import json
import re
import sqlite3
import subprocess
import time

import pytest

import towline

PROXY = "/-/kubernetes-agent/k8s-proxy"


def status_of(answer, code):
    """The Kubernetes Status of an error of our own; asserts that it is one with this code."""
    status, headers, body = answer
    assert status == code, f"{status} {body}"
    assert headers["Content-Type"].startswith("application/json"), headers["Content-Type"]
    decoded = json.loads(body)
    assert (decoded["kind"], decoded["apiVersion"], decoded["status"]) == ("Status", "v1", "Failure"), decoded
    assert decoded["code"] == code and decoded["reason"], decoded
    return decoded


def test_an_agent_that_was_never_connected_is_an_immediate_503(system):
    begin = time.monotonic()
    status = status_of(system.request("/api/v1/namespaces"), 503)
    assert time.monotonic() - begin < 0.5
    assert status["message"].startswith("kas: "), status
    assert "not connected" in status["message"] and "never" in status["message"], status


def test_a_stopped_agent_is_an_immediate_503_that_says_when_it_was_last_seen(connected):
    assert connected.request("/version")[0] == 200
    connected.agents[0].stop()
    begin = time.monotonic()
    status = status_of(connected.request("/version"), 503)
    assert time.monotonic() - begin < 0.5
    assert status["message"].startswith("kas: ") and "not connected" in status["message"], status
    seen = re.search(r"last seen at (\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)", status["message"])
    assert seen, status
    moment = calendar.timegm(time.strptime(seen.group(1).replace("T", " "), "%Y-%m-%d %H:%M:%S"))
    assert -2 < time.time() - moment < 60, status


def test_killing_the_agent_breaks_a_running_watch_within_a_second(connected):
    with connected.kas.connect(["http/1.1"]) as connection:
        connection.sendall((f"GET {PROXY}/api/v1/namespaces?watch=true HTTP/1.1\r\nHost: localhost\r\n"
                            f"Authorization: Bearer {connected.bearer}\r\n\r\n").encode())
        received = b""
        while b'"ADDED"' not in received:
            piece = connection.recv(65536)
            assert piece, received
            received += piece
        assert received.startswith(b"HTTP/1.1 200"), received
        connected.agents[0].process.kill()
        begin = time.monotonic()
        try:
            while piece := connection.recv(65536):
                received += piece
        except OSError:
            pass  # a reset is as good an end
        assert time.monotonic() - begin < 1.0
    assert not received.endswith(b"0\r\n\r\n"), "the broken watch looks like a complete one"


def test_killing_the_agent_ends_kubectl_logs_within_a_second(connected, kubectl, pod):
    logs = kubectl.popen("logs", "-f", pod)
    assert logs.stdout.readline().startswith(b"line ")
    connected.agents[0].process.kill()
    begin = time.monotonic()
    _, errors = logs.communicate(timeout=30)
    assert time.monotonic() - begin < 1.0
    assert logs.returncode != 0 and errors, "kubectl took the broken stream for a complete one"


def test_a_cluster_api_that_is_down_is_a_502_that_names_the_hop_and_the_address(system):
    port = towline.free_port()
    kubeconfig = system.folder / "closed.kubeconfig"
    kubeconfig.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "unused"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
    system.start_agent(kubeconfig)
    status = status_of(system.request("/api/v1/namespaces"), 502)
    assert status["message"].startswith("kas: ") and "agentk" in status["message"], status
    assert f"127.0.0.1:{port}" in status["message"], status


def refused(system, bearer, code=401):
    """The Status of a proxied request with this credential, which must be refused with `code`."""
    answer = system.request("/version", token=bearer)
    status = status_of(answer, code)
    assert status["message"].startswith("kas: "), status
    assert (answer[1]["Gitlab-Unauthorized"] == "true") == (code == 401), answer[1].items()
    return status


def test_requests_without_a_good_credential_are_401(connected):
    token = connected.token
    assert connected.request("/version")[0] == 200
    for bearer in ("", "garbage", token, f"pat:{token}", f"pat::{token}", f"pat:x:{token}", f"pat:-1:{token}",
                   f"pat:{connected.agent_id}:", f"pat:{connected.agent_id}:glpat-wrong",
                   f"pat:{connected.agent_id}:{token}x", f"pat:{connected.agent_id}:{connected.agent_token}",
                   f"pat:99999999999999999999999:{token}", f"other:{connected.agent_id}:{token}"):
        refused(connected, bearer)
    for header in ("Basic " + token, "Bearer", connected.bearer):
        answer = connected.request("/version", token="", headers={"Authorization": header})
        status_of(answer, 401)
        assert answer[1]["Gitlab-Unauthorized"] == "true"
    assert connected.request("/version")[0] == 200


def let_expire(system, name, when):
    path = system.kas.folder / "data/towline.db"
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
        changed = database.execute("UPDATE personal_access_tokens SET expires_at = ? WHERE name = ?",
                                   [int(when * 1000), name])
        assert changed.rowcount == 1


def test_a_token_ends_with_its_expiry(connected):
    yesterday = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
    code, answer = connected.kas.api("POST", "/user/personal_access_tokens", {
        "name": "old", "scopes": ["k8s_proxy"], "expires_at": yesterday})
    assert code == 400 and "expires_at" in json.dumps(answer), answer
    # No token can be made that has expired, so a day passes in the database.
    bearer = f"pat:{connected.agent_id}:" + connected.kas.personal_token(name="short", days=1)
    let_expire(connected, "short", time.time() - 1)
    status = refused(connected, bearer)
    assert "expired" in status["message"], status
    assert connected.request("/version")[0] == 200


def test_a_token_in_use_ends_with_its_expiry(connected):
    bearer = f"pat:{connected.agent_id}:" + connected.kas.personal_token(name="short", days=1)
    end = time.time() + 1
    let_expire(connected, "short", end)
    assert connected.request("/version", token=bearer)[0] == 200
    towline.wait_for(lambda: connected.request("/version", token=bearer)[0] == 401, "the token to end", 2)
    assert time.time() >= end


def test_a_revoked_token_is_refused_from_the_next_request_on(connected):
    made = connected.kas.api("POST", "/user/personal_access_tokens", {
        "name": "lost", "scopes": ["k8s_proxy"], "expires_at": None}, expect=201)[1]
    bearer = f"pat:{connected.agent_id}:{made['token']}"
    for _ in range(3):
        assert connected.request("/version", token=bearer)[0] == 200
    connected.kas.api("DELETE", f"/personal_access_tokens/{made['id']}", expect=204)
    refused(connected, bearer)
    assert connected.request("/version")[0] == 200


def test_a_token_of_another_scope_is_refused(connected):
    bearer = f"pat:{connected.agent_id}:" + connected.kas.personal_token(("read_api", "read_repository"))
    status = refused(connected, bearer)
    assert "k8s_proxy" in status["message"], status


def test_an_unknown_agent_is_refused(connected):
    refused(connected, f"pat:4711:{connected.token}")


def test_a_stranger_is_refused_and_learns_nothing_about_the_agent(connected):
    user = connected.kas.api("POST", "/users", {
        "username": "mallory", "name": "Mallory", "email": "mallory@example.com",
        "password": "a password of mallory"}, expect=201)[1]
    made = connected.kas.api("POST", f"/users/{user['id']}/personal_access_tokens", {
        "name": "kubectl", "scopes": ["k8s_proxy"]}, expect=201)[1]
    status = refused(connected, f"pat:{connected.agent_id}:{made['token']}", 403)
    for hidden in (towline.PROJECT, "user_access"):
        assert hidden not in status["message"], status
    unknown = refused(connected, f"pat:4711:{made['token']}", 403)
    assert unknown["message"].replace("4711", str(connected.agent_id)) == status["message"]


def test_without_user_access_a_request_is_403_and_says_what_is_missing(connected):
    connected.kas.write_config("observability:\n  logging:\n    level: info\n")
    status = refused(connected, connected.bearer, 403)
    assert "user_access" in status["message"] and "config.yaml" in status["message"], status


AS_USER = "user_access:\n  access_as:\n    user: {}\n  projects:\n    - id: root/demo\n"


def certificate_request():
    made = subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null",
                           "-subj", "/CN=e2e"], check=True, capture_output=True).stdout
    return json.dumps({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "e2e-"},
        "spec": {"request": base64.b64encode(made).decode(), "signerName": "example.com/e2e",
                 "usages": ["client auth"]}}).encode()


def test_access_as_user_is_the_user_of_the_cluster(connected, direct):
    connected.kas.write_config(AS_USER)
    code, _, body = connected.request("/api/v1/namespaces")
    status = json.loads(body)
    assert code == 403 and status["reason"] == "Forbidden", body
    assert "gitlab:user:root" in status["message"] and not status["message"].startswith("kas: "), status
    binding = f"e2e-gitlab-user-{time.monotonic_ns()}"
    direct.run("create", "clusterrolebinding", binding, "--clusterrole=cluster-admin", "--group=gitlab:user")
    try:
        towline.wait_for(lambda: connected.request("/api/v1/namespaces")[0] == 200, "the role to count")
        # The API server writes into a CertificateSigningRequest who made it.
        code, _, body = connected.request("/apis/certificates.k8s.io/v1/certificatesigningrequests?dryRun=All", "POST",
                                          certificate_request(), {"Content-Type": "application/json"})
    finally:
        direct.run("delete", "clusterrolebinding", binding)
    assert code == 201, body
    user = json.loads(body)["spec"]
    project = connected.kas.api("GET", "/projects/" + towline.quote(towline.PROJECT), expect=200)[1]["id"]
    assert user["username"] == "gitlab:user:root"
    roles = {f"gitlab:project_role:{project}:{role}" for role in ("guest", "reporter", "developer", "maintainer")}
    assert {"gitlab:user", *roles} <= set(user["groups"]), user
    assert user["extra"]["agent.gitlab.com/id"] == [str(connected.agent_id)]
    assert user["extra"]["agent.gitlab.com/username"] == ["root"]
    assert user["extra"]["agent.gitlab.com/config_project_id"] == [str(project)]


def test_access_as_user_refuses_a_second_impersonation(connected):
    connected.kas.write_config(AS_USER)
    for header in ("Impersonate-User", "Impersonate-Group", "Impersonate-Uid", "impersonate-extra-reason"):
        status = status_of(connected.request("/api/v1/namespaces", headers={header: "system:admin"}), 400)
        assert status["message"].startswith("kas: ") and "impersonat" in status["message"], status


@pytest.fixture
def upstream(tmp_path):
    """Makes stand-ins for a cluster's API; they end with the test."""
    made = []

    def make(locations):
        made.append(towline.Upstream(tmp_path, locations))
        return made[-1]
    yield make
    for each in made:
        each.stop()


def test_the_cluster_never_sees_the_users_credentials(system, upstream):
    echo = upstream('location / { return 200 "$http_authorization|$http_cookie|$http_gitlab_agent_id|'
                    '$http_x_csrf_token|$http_x_kept|$args"; }')
    system.start_agent(echo.kubeconfig())
    code, _, body = system.request("/echo?a=b&gitlab-agent-id=1&gitlab-csrf-token=secret", headers={
        "Cookie": "_gitlab_kas=secret; other=secret", "Gitlab-Agent-Id": "1", "X-Csrf-Token": "secret",
        "X-Kept": "kept"})
    assert (code, body) == (200, b"Bearer upstream||||kept|a=b")


def test_revoking_the_agents_token_ends_its_connections(connected, cluster):
    agent = connected.agents[0]
    assert connected.request("/version")[0] == 200
    path = f"/projects/{towline.quote(towline.PROJECT)}/cluster_agents/{connected.agent_id}/tokens"
    connected.kas.api("DELETE", f"{path}/{connected.agent_token_id}", expect=204)
    towline.wait_for(lambda: connected.request("/version")[0] == 503, "requests to be refused", 2)
    towline.wait_for(lambda: not agent.ready(), "agentk to be unready", 2)
    status = towline.http_status(f"http://127.0.0.1:{agent.metrics_port}/readiness")
    assert status == 503 and agent.process.running()
    assert "not connected" in status_of(connected.request("/version"), 503)["message"]
    # A new token is all that it takes to be back.
    connected.agent_token = connected.kas.agent_token(connected.agent_id)["token"]
    connected.start_agent(cluster["KUBECONFIG"])
    assert connected.request("/version")[0] == 200
