"""Other users of the same server that mean harm: each stays within what he was given, and everybody else is served."""

import base64
import datetime
import itertools
import json
import os
import socket
import subprocess
import threading

import pytest

import towline
from siege import *

numbers = itertools.count(1)
GRANTING = "user_access:\n  access_as:\n    agent: {}\n"


def new_name(kind):
    return f"{kind}{next(numbers)}"


def person(system):
    """A user with nothing but his own namespace: (name, number, token of scope api)."""
    name = new_name("tenant")
    user = system.kas.api("POST", "/users", {"username": name, "name": name, "email": f"{name}@example.com",
                                             "password": "password of " + name}, expect=201)[1]
    token = system.kas.api("POST", f"/users/{user['id']}/personal_access_tokens", {"name": "t", "scopes": ["api"]},
                           expect=201)[1]["token"]
    return name, user["id"], token


def group(system, path, token=towline.Kas.TOKEN, parent=None):
    return system.kas.api("POST", "/groups", {"name": path, "path": path, "parent_id": parent}, token=token,
                          expect=201)[1]["id"]


def project(system, space, name="infra", token=towline.Kas.TOKEN):
    return system.kas.api("POST", "/projects", {"name": name, "namespace_id": space}, token=token, expect=201)[1]


def agent_in(system, path, name, config):
    """A connected agent of the tests' own API server, with this configuration; returns its number."""
    system.kas.write_config(config, name, path)
    agent_id = system.kas.register_agent(name, path)
    return agent_id


def use(system, agent_id, token):
    """403: kept out. 503: let in, but the agent is not there."""
    return system.request("/echo", token=f"pat:{agent_id}:{token}")[0]


def configuration(system, path, agent_id):
    return system.kas.api("GET", f"/projects/{towline.quote(path)}/cluster_agents/{agent_id}/configuration", expect=200)[1]


LET_IN, KEPT_OUT = 503, 403


def test_who_makes_a_path_that_names_nothing_gets_no_access_by_it(system):
    top, missing = new_name("acme"), new_name("platfrom")
    acme = group(system, top)
    project(system, acme)
    agent_id = agent_in(system, f"{top}/infra", "prod", GRANTING + f"  groups:\n    - id: {missing}\n    - id: {top}/team\n"
                                                                   f"  projects:\n    - id: {top}/app\n")
    _, maker_id, maker = person(system)
    system.kas.api("POST", f"/groups/{acme}/members", {"user_id": maker_id, "access_level": 40}, expect=201)
    name, stranger_id, stranger = person(system)
    # Somebody else's namespace, and the tenant's own, in which the stranger is made an owner.
    group(system, missing, stranger)
    team = group(system, "team", maker, acme)
    app = project(system, acme, "app", maker)["id"]
    for place in (f"/groups/{team}", f"/projects/{app}"):
        system.kas.api("POST", f"{place}/members", {"user_id": stranger_id, "access_level": 40}, token=maker)
    assert use(system, agent_id, stranger) == KEPT_OUT
    warnings = configuration(system, f"{top}/infra", agent_id)["warnings"]
    assert len(warnings) == 3 and all("gives nothing" in each for each in warnings), warnings
    assert any("config.yaml:5:11:" in each and missing in each for each in warnings), warnings
    system.kas.kill_and_restart()
    system.agents[0].wait_ready()
    assert use(system, agent_id, stranger) == KEPT_OUT
    system.kas.write_config(GRANTING + f"  projects:\n    - id: {top}/app\n", "prod", f"{top}/infra")
    assert use(system, agent_id, stranger) == LET_IN


def test_a_path_that_was_deleted_and_made_again_gives_nothing(system):
    top = new_name("acme")
    acme = group(system, top)
    project(system, acme)
    app = project(system, acme, "app")["id"]
    agent_id = agent_in(system, f"{top}/infra", "prod", GRANTING + f"  projects:\n    - id: {top}/app\n")
    _, user_id, token = person(system)
    member = {"user_id": user_id, "access_level": 30}
    system.kas.api("POST", f"/projects/{app}/members", member, expect=201)
    assert use(system, agent_id, token) == LET_IN
    system.kas.api("PUT", f"/projects/{app}", {"path": "renamed"}, expect=200)
    assert use(system, agent_id, token) == LET_IN
    other = project(system, acme, "app")["id"]
    system.kas.api("DELETE", f"/projects/{app}", expect=202)
    system.kas.api("POST", f"/projects/{other}/members", member, expect=201)
    assert use(system, agent_id, token) == KEPT_OUT


@pytest.mark.parametrize("content", [b"#\0\n", "user_access: {}\n".encode("utf-16"), b"# caf\xe9\n", b"\"\\0\": 1\n",
                                     b"user_access:\n  projects:\n    - id: \"a\n", b"flux: {" + b"e" * 99 + b"\xc3\xa9: 1}\n",
                                     b"\"" + b"k" * 100_000 + b"\": 1\n"],
                         ids=["nul", "utf-16", "latin-1", "escaped-nul", "unclosed", "cut-in-a-letter", "long-key"])
def test_one_agents_file_is_that_agents_alone(system, content):
    """In the project of an agent that is in use."""
    name = new_name("bad")
    agent_id = system.kas.register_agent(name)
    path = towline.quote(f".gitlab/agents/{name}/config.yaml")
    with others_are_served(system):
        system.kas.api("POST", f"/projects/root%2Fdemo/repository/files/{path}", {
            "branch": "main", "commit_message": "m", "encoding": "base64", "content": base64.b64encode(content).decode()},
            expect=201)
        listed = system.kas.api("GET", "/projects/root%2Fdemo/cluster_agents?with_status=true&per_page=100", expect=200)[1]
        found = {each["name"]: each for each in listed}
        assert found["demo"]["configuration"]["state"] == "valid"
        assert found["demo"]["status"]["state"] == "connected"
        shown = found[name]["configuration"]
        assert shown["state"] in ("invalid", "valid") and (shown["fault"] or shown["warnings"])
        assert len(json.dumps(shown)) < 10_000
        assert use(system, agent_id, system.token) == KEPT_OUT


def test_a_token_makes_none_that_outlives_it_and_a_bot_makes_none(system):
    tomorrow = (datetime.datetime.utcnow() + datetime.timedelta(days=2)).strftime("%Y-%m-%d")
    _, _, token = person(system)
    make = {"name": "t", "scopes": ["api"]}
    short = system.kas.api("POST", "/user/personal_access_tokens", {**make, "expires_at": tomorrow}, token=token,
                           expect=201)[1]
    assert short["expires_at"] == tomorrow
    for wish in ({}, {"expires_at": "2099-12-31"}):
        made = system.kas.api("POST", "/user/personal_access_tokens", {**make, **wish}, token=short["token"], expect=201)[1]
        assert made["expires_at"] == tomorrow
    assert system.kas.api("POST", "/user/personal_access_tokens", make, token=token, expect=201)[1]["expires_at"]
    bot = system.kas.api("POST", "/projects/root%2Fdemo/access_tokens", {**make, "access_level": 50}, expect=201)[1]["token"]
    for path, body in (("/user/personal_access_tokens", make), ("/projects/root%2Fdemo/access_tokens", make),
                       ("/groups", {"name": "g", "path": new_name("g")}), ("/projects", {"name": new_name("p")})):
        system.kas.api("POST", path, body, token=bot, expect=403)
    change = {"current_password": "wrong", "password": "another password"}
    system.kas.api("PUT", "/user/password", change, token=token, expect=403)


def log_in(system, login, password, source):
    """From an address of the loopback network."""
    raw = socket.create_connection(("127.0.0.1", system.kas.port), 30, source_address=(source, 0))
    body = json.dumps({"login": login, "password": password}).encode()
    with system.kas.tls().wrap_socket(raw, server_hostname="localhost") as sock:
        sock.sendall(b"POST /api/v4/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return int(read_all(sock)[9:12])


def test_who_guesses_a_password_shuts_nobody_but_himself_out(system):
    name, _, _ = person(system)
    password = "password of " + name
    assert log_in(system, name, password, "127.0.9.1") == 201
    statuses = [log_in(system, name, f"wrong {i}", f"127.0.{10 + i % 3}.{1 + i}") for i in range(120)]
    assert set(statuses) == {401, 429}
    assert log_in(system, name, password, "127.0.10.200") == 429
    assert log_in(system, name, password, "127.0.9.1") == 201
    assert log_in(system, name, password, "127.0.200.1") == 201


@pytest.mark.parametrize("kind", ["07", "+7", "7.0", "%207", "0"])
def test_a_number_has_one_form(system, kind):
    number = kind.replace("7", str(system.agent_id))
    assert system.kas.api("GET", f"/projects/root%2Fdemo/cluster_agents/{number}")[0] == 404
    assert system.request("/echo", token=f"pat:{number}:{system.token}")[0] == 401


@pytest.fixture(scope="module")
def alice(system):
    """A user with a project of a long history; her token."""
    kas = system.kas
    user = kas.api("POST", "/users", {"username": "alice", "name": "Alice", "email": "alice@example.com",
                                      "password": "correct horse battery"}, expect=201)[1]
    token = kas.api("POST", f"/users/{user['id']}/personal_access_tokens",
                    {"name": "t", "scopes": ["api", "write_repository"]}, expect=201)[1]["token"]
    kas.api("POST", "/projects", {"name": "long"}, token=token, expect=201)
    folder = kas.folder / "long"
    git = ["git", "-C", str(folder)]
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    history = "".join(f"commit refs/heads/main\ncommitter a <a@example.com> {1_700_000_000 + i} +0000\ndata 1\nm\n"
                      f"M 644 inline d{i % 50}/f{i % 97}\ndata {len(str(i))}\n{i}\n\n" for i in range(4000))
    subprocess.run([*git, "fast-import", "--quiet"], input=history.encode(), check=True)
    subprocess.run([*git, "push", "-q", f"https://x:{token}@localhost:{kas.port}/alice/long.git", "main"], check=True,
                   env={**os.environ, "GIT_SSL_CAINFO": str(kas.ca_file), "GIT_CONFIG_GLOBAL": "/dev/null"})
    return token


def test_expensive_requests_of_one_user_keep_nobody_else_waiting(system, alice):
    """Order tells it, and no clock: others are served while most of hers still wait."""
    kas, answered = system.kas, []

    def ask(i):
        answered.append(kas.call("GET", f"/projects/alice%2Flong/repository/commits?path=nothing{i}", token=alice)[0])

    hers = [threading.Thread(target=ask, args=(i,)) for i in range(40)]
    for each in hers:
        each.start()
    for i in range(5):
        kas.api("GET", "/user", expect=200)
        fresh = kas.personal_token(name=f"fresh {i}")  # whom the proxy has to ask about
        assert system.request("/echo", token=f"pat:{system.agent_id}:{fresh}")[0] == 200
    waiting = 40 - len(answered)
    for each in hers:
        each.join(60)
    assert waiting >= 10, f"{40 - waiting} of hers were answered before five of others"
    assert len(answered) == 40 and set(answered) <= {200, 429, 503}, answered
