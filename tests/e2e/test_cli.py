"""The command line against a real server: logging in, projects, agents, kubectl's way to a cluster."""

import concurrent.futures
import http.server
import json
import os
import pathlib
import pty
import re
import select
import signal
import stat
import subprocess
import threading
import time

import pytest

import towline
from test_configuration import git

TOWLINE = towline.BIN / "towline"


class Cli:
    """The program with folders of its own, logged in or not."""

    def __init__(self, kas, folder):
        self.kas, self.folder = kas, pathlib.Path(folder)
        self.home = self.folder / "home"
        self.home.mkdir(exist_ok=True)
        self.config = self.home / ".config/towline/config.yaml"
        self.cache = self.home / ".cache/towline"
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("TOWLINE_", "XDG_")) and key != "KUBECONFIG"}
        self.environment = {**kept, "HOME": str(self.home), "PATH": f"{towline.BIN}:{kept['PATH']}"}

    def run(self, *arguments, code=0, input="", cwd=None, **environment):
        result = subprocess.run([str(TOWLINE), *map(str, arguments)], input=input, capture_output=True, text=True,
                                timeout=60, cwd=cwd or self.folder, env={**self.environment, **environment})
        assert result.returncode == code, (result.returncode, result.stdout, result.stderr)
        return result

    def out(self, *arguments, **options):
        return self.run(*arguments, **options).stdout

    def error(self, *arguments, code, **options):
        result = self.run(*arguments, code=code, **options)
        assert result.stdout == "" and result.stderr.startswith("towline: "), result
        return result.stderr

    def json(self, *arguments, **options):
        return json.loads(self.out(*arguments, "-o", "json", **options))

    def login(self, token=None):
        return self.run("login", "--url", self.kas.url, "--ca-file", self.kas.ca_file, "--token-stdin",
                        input=(token or self.kas.TOKEN) + "\n")

    def agent(self, *arguments, **options):
        return self.out("cluster", "agent", *arguments, **options)

    def proxy_tokens(self):
        """The tokens that the server has of kubectl's kind, active ones only."""
        own = self.kas.api("GET", "/personal_access_tokens?per_page=100", expect=200)[1]
        return [each for each in own if each["scopes"] == ["k8s_proxy"] and each["active"]
                and each["name"].startswith("towline kubectl")]


@pytest.fixture
def cli(system, tmp_path):
    made = Cli(system.kas, tmp_path)
    made.login()
    return made


@pytest.fixture(scope="module")
def kas(tmp_path_factory):
    """A server that tests share which leave nothing behind that others would see."""
    made = towline.System(tmp_path_factory.mktemp("shared-kas"))
    yield made.kas
    made.stop()


@pytest.fixture
def outsider(kas, tmp_path):
    """Not logged in."""
    return Cli(kas, tmp_path)


@pytest.fixture
def insider(outsider):
    outsider.login()
    return outsider


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# Logging in and out.

def test_login_keeps_the_token_for_its_owner_only(outsider):
    result = outsider.login()
    assert result.stdout == f"Logged in to {outsider.kas.url} as root.\n" and result.stderr == ""
    assert mode(outsider.config) == 0o600 and mode(outsider.config.parent) == 0o700
    assert os.listdir(outsider.config.parent) == ["config.yaml"]
    assert "root/demo" in outsider.out("project", "list")


def test_login_with_a_wrong_token_changes_nothing(insider):
    before = insider.config.read_text()
    message = insider.error("login", "--url", insider.kas.url, "--ca-file", insider.kas.ca_file, "--token-stdin",
                            code=3, input="glpat-wrong")
    assert "401" in message and "glpat-wrong" not in message
    assert insider.config.read_text() == before


def test_login_asks_at_a_terminal_and_shows_no_token(outsider):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(TOWLINE, ["towline", "login", "--url", outsider.kas.url, "--ca-file", str(outsider.kas.ca_file)],
                  outsider.environment)
    screen = b""
    sent = False
    while True:
        assert select.select([terminal], [], [], 30)[0], screen
        try:
            screen += os.read(terminal, 4096)
        except OSError:  # the other end has closed
            break
        if b"token" in screen and b": " in screen and not sent:
            os.write(terminal, outsider.kas.TOKEN.encode() + b"\n")
            sent = True
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, screen
    assert b"as root." in screen and outsider.kas.TOKEN.encode() not in screen
    assert outsider.config.exists()


def test_login_without_terminal_and_token_says_how(outsider):
    assert "--token-stdin" in outsider.error("login", "--url", outsider.kas.url, code=2)
    assert "--url" in outsider.error("login", "--token-stdin", code=2)
    assert "empty" in outsider.error("login", "--url", outsider.kas.url, "--token-stdin", code=2)


def test_a_certificate_that_is_not_trusted_is_said_with_the_remedy(outsider):
    message = outsider.error("login", "--url", outsider.kas.url, "--token-stdin", code=1, input=outsider.kas.TOKEN)
    assert "the server's certificate is not trusted" in message and "--ca-file" in message


def test_a_certificate_for_another_name_is_said(outsider, tmp_path):
    server = towline.Upstream(tmp_path, "location / { return 404; }", certificate_for=("elsewhere.example",))
    try:
        message = outsider.error("login", "--url", f"https://localhost:{server.port}", "--ca-file", server.ca_file,
                                 "--token-stdin", code=1, input="t")
        assert "for another name" in message
    finally:
        server.stop()


@pytest.mark.parametrize("url, words", [
    ("https://localhost:1", "cannot be reached"),
    ("https://no-such-host.invalid", "no such host"),
    ("localhost:8443", "https://"),
    ("https://me:secret@localhost", "user name"),
])
def test_an_address_that_does_not_work_is_said(outsider, url, words):
    code = 1 if url.startswith("https://") and "@" not in url else 2
    message = outsider.error("login", "--url", url, "--token-stdin", code=code, input="t")
    assert words in message and "secret" not in message


def test_what_is_no_ca_file_is_said(outsider, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    for name in ("ca.pem", "missing.pem"):
        message = outsider.error("login", "--url", outsider.kas.url, "--ca-file", tmp_path / name, "--token-stdin",
                                 code=1, input="t")
        assert name in message


def test_the_environment_counts_more_than_the_login(outsider):
    environment = {"TOWLINE_URL": outsider.kas.url, "TOWLINE_TOKEN": outsider.kas.TOKEN,
                   "TOWLINE_CA": str(outsider.kas.ca_file)}
    assert "root/demo" in outsider.out("project", "list", **environment)
    assert not outsider.config.exists()
    outsider.login()
    assert "401" in outsider.error("project", "list", code=3, TOWLINE_TOKEN="glpat-wrong")
    assert "not logged in to https://localhost:1" in outsider.error("project", "list", code=3,
                                                                    TOWLINE_URL="https://localhost:1")


def test_logout_forgets_the_login_and_revokes_kubectls_token(cli, system):
    cli.agent("get-token", "--agent", system.agent_id)
    assert len(cli.proxy_tokens()) == 1
    cli.run("logout")
    assert not cli.config.exists() and not list(cli.cache.glob("*.json"))
    assert cli.proxy_tokens() == []
    assert "towline login" in cli.error("project", "list", code=3)
    assert "Not logged in" in cli.out("logout")


def test_a_broken_configuration_file_is_named_with_its_line(insider):
    insider.config.write_text("url: https://a\ntoken: [\n")
    message = insider.error("project", "list", code=1)
    assert "config.yaml" in message and "line" in message


# Projects.

def test_projects_are_made_in_groups_and_for_oneself(cli):
    group = cli.kas.api("POST", "/groups", {"name": "Team", "path": "team"}, expect=201)[1]["id"]
    cli.kas.api("POST", "/groups", {"name": "Sub", "path": "sub", "parent_id": group}, expect=201)
    assert "team/sub/deep" in cli.out("project", "create", "team/sub/deep")
    made = cli.json("project", "create", "mine", "--visibility", "public", "--description", "what for",
                    "--initialize-with-readme")
    assert (made["path_with_namespace"], made["visibility"], made["description"]) == ("root/mine", "public", "what for")
    assert made["empty_repo"] is False
    assert cli.json("project", "create", "root/other")["path_with_namespace"] == "root/other"
    assert {each["path_with_namespace"] for each in cli.json("project", "list")} == {
        "root/demo", "root/mine", "root/other", "team/sub/deep"}
    assert [each["path"] for each in cli.json("project", "list", "--search", "min")] == ["mine"]
    lines = cli.out("project", "list").splitlines()
    assert lines[0].split() == ["ID", "PATH", "VISIBILITY", "REPOSITORY"] and len(lines) == 5


def test_projects_that_cannot_be_made_say_why(insider):
    assert "no group \"nowhere\"" in insider.error("project", "create", "nowhere/name", code=5)
    assert "taken" in insider.error("project", "create", "demo", code=1)
    assert "PATH" in insider.error("project", "create", code=2)
    assert "hidden" in insider.error("project", "create", "x", "--visibility", "hidden", code=2)
    assert "PATH" in insider.error("project", "create", "group/", code=2)


def test_lists_are_whole_however_long(cli):
    for number in range(120):
        cli.kas.api("POST", "/projects", {"name": f"p{number}"}, expect=201)
    assert len(cli.json("project", "list")) == 121


# Agents and their tokens.

def test_an_agent_is_registered_listed_and_deleted(cli):
    said = cli.agent("register", "prod", "-R", "root/demo")
    token = re.search(r"glagent-\S+", said).group()
    assert said.count(f"config.token={token}") == 1 and "helm upgrade --install prod" in said
    assert f"config.kasAddress=wss://localhost:{cli.kas.port}" in said
    assert "config.kasCaCert=" in said, "the agent must know the server's CA as well"
    listed = cli.json("cluster", "agent", "list", "-R", "root/demo")
    assert [each["name"] for each in listed] == ["demo", "prod"]
    table = cli.agent("list", "-R", "root/demo")
    assert table.splitlines()[0].split()[:3] == ["ID", "NAME", "STATE"] and "prod" in table
    assert "--yes" in cli.error("cluster", "agent", "delete", "prod", "-R", "root/demo", code=2)
    assert "Deleted the agent prod" in cli.agent("delete", "prod", "-R", "root/demo", "--yes")
    assert [each["name"] for each in cli.json("cluster", "agent", "list", "-R", "root/demo")] == ["demo"]
    assert "no agent \"prod\"" in cli.error("cluster", "agent", "delete", "prod", "-R", "root/demo", "-y", code=5)


def test_the_token_of_a_registration_connects_an_agent(cli, system, cluster):
    made = cli.json("cluster", "agent", "register", "second", "-R", "root/demo")
    assert made["name"] == "second" and made["token"]["agent_id"] == made["id"]
    system.agent_token = made["token"]["token"]
    system.start_agent(cluster["KUBECONFIG"])
    state = {each["name"]: each["status"]["state"] for each in cli.json("cluster", "agent", "list", "-R", "root/demo")}
    assert state["second"] == "connected", state


def test_agents_that_cannot_be_registered_say_why(insider):
    assert "taken" in insider.error("cluster", "agent", "register", "demo", "-R", "root/demo", code=1)
    assert "name" in insider.error("cluster", "agent", "register", "No Name", "-R", "root/demo", code=1)
    assert "404" in insider.error("cluster", "agent", "register", "x", "-R", "root/nowhere", code=5)
    assert "group/name" in insider.error("cluster", "agent", "register", "x", "-R", "nowhere", code=2)


def test_tokens_are_made_listed_and_revoked(cli):
    where = ("-R", "root/demo")
    made = cli.json("cluster", "agent", "tokens", "create", "demo", "--name", "second", "--description", "why", *where)
    assert (made["name"], made["description"]) == ("second", "why") and made["token"].startswith("glagent-")
    assert made["token"] in made["installation"]["text"]
    assert {each["name"] for each in cli.json("cluster", "agent", "tokens", "list", "demo", *where)} == {"t", "second"}
    third = cli.error("cluster", "agent", "tokens", "create", "demo", *where, code=1)
    assert "two" in third or "2" in third, third
    cli.agent("tokens", "revoke", "demo", made["id"], *where)
    table = cli.agent("tokens", "list", "demo", *where)
    assert "second" not in table and made["token"] not in table
    assert "404" in cli.error("cluster", "agent", "tokens", "revoke", "demo", made["id"], *where, code=5)
    assert "glagent-" in cli.agent("tokens", "create", "demo", *where)


def test_a_role_that_is_too_low_is_four(cli):
    user = cli.kas.api("POST", "/users", {"username": "dev", "name": "Dev", "email": "dev@example.com",
                                          "password": "correct horse battery"}, expect=201)[1]["id"]
    cli.kas.api("POST", "/projects/root%2Fdemo/members", {"user_id": user, "access_level": 30}, expect=201)
    token = cli.kas.api("POST", f"/users/{user}/personal_access_tokens", {"name": "t", "scopes": ["api"]},
                        expect=201)[1]["token"]
    assert "demo" in cli.agent("list", "-R", "root/demo", TOWLINE_TOKEN=token)
    message = cli.error("cluster", "agent", "register", "x", "-R", "root/demo", code=4, TOWLINE_TOKEN=token)
    assert "role" in message


# Inside a Git checkout.

@pytest.fixture
def checkout(kas, tmp_path):
    git("init", "-q", "checkout", folder=tmp_path)
    git("remote", "add", "origin", f"{kas.url}/root/demo.git", folder=tmp_path / "checkout")
    return tmp_path / "checkout"


def test_a_checkout_names_the_project(insider, checkout):
    below = checkout / "below"
    below.mkdir()
    assert "demo" in insider.agent("list", cwd=below)
    git("remote", "set-url", "origin", "git@localhost:root/demo.git", folder=checkout)
    assert "demo" in insider.agent("list", cwd=checkout)


def test_a_checkout_of_another_server_is_said(insider, checkout):
    git("remote", "set-url", "origin", "https://me:secret@git.example.com/root/demo.git", folder=checkout)
    message = insider.error("cluster", "agent", "list", cwd=checkout, code=2)
    assert "https://git.example.com/root/demo.git" in message and "-R" in message and "secret" not in message


def test_outside_of_a_checkout_the_project_is_asked_for(insider, tmp_path):
    message = insider.error("cluster", "agent", "list", cwd=tmp_path, code=2, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert "-R group/name" in message


# kubectl's way to a cluster.

def credential(text):
    made = json.loads(text)
    assert (made["apiVersion"], made["kind"]) == ("client.authentication.k8s.io/v1", "ExecCredential")
    return made["status"]


def test_kubectl_reaches_the_cluster_through_update_kubeconfig(cli, connected, cluster, make_kubectl, direct):
    kubeconfig = cli.home / ".kube/config"
    cli.agent("update-kubeconfig", "--agent", "demo", "-R", "root/demo", "--use-context")
    assert mode(kubeconfig) == 0o600
    through = make_kubectl(kubeconfig)
    for _ in range(2):
        asked = towline.GET_LASTING_NAMESPACES
        assert through.out(*asked, env=cli.environment) == direct.out(*asked) != ""
    assert len(cli.proxy_tokens()) == 1, "kubectl's token is made once"
    assert cli.kas.TOKEN not in kubeconfig.read_text()


def test_kubectl_gets_a_new_token_when_the_server_refuses_the_old_one(cli, connected, cluster, make_kubectl):
    cli.agent("update-kubeconfig", "--agent", connected.agent_id, "-R", "root/demo", "--kubeconfig", "k", "--context", "c")
    through = make_kubectl(cli.folder / "k")
    through.run("--context", "c", "get", "namespaces", env=cli.environment)
    [old] = cli.proxy_tokens()
    cli.kas.api("DELETE", f"/personal_access_tokens/{old['id']}", expect=204)
    through.run("--context", "c", "get", "namespaces", env=cli.environment)
    [new] = cli.proxy_tokens()
    assert new["id"] != old["id"]


def test_update_kubeconfig_keeps_what_kubectl_had(cli, system, cluster, make_kubectl):
    kubeconfig = cli.folder / "kubeconfig"
    kubectl = make_kubectl(kubeconfig)
    kubectl.run("config", "set-cluster", "prod", "--server=https://prod:6443", "--insecure-skip-tls-verify=true")
    kubectl.run("config", "set-credentials", "admin", "--username=0123", "--password=true")
    kubectl.run("config", "set-context", "prod", "--cluster=prod", "--user=admin", "--namespace=007")
    kubectl.run("config", "use-context", "prod")
    before = json.loads(kubectl.out("config", "view", "--raw", "-o", "json"))
    cli.agent("update-kubeconfig", "--agent", "demo", "-R", "root/demo", KUBECONFIG=str(kubeconfig))
    after = json.loads(kubectl.out("config", "view", "--raw", "-o", "json"))
    assert after["current-context"] == "prod"
    for kind in ("clusters", "users", "contexts"):
        assert [each for each in after[kind] if not each["name"].startswith("towline-")] == before[kind]
        assert len(after[kind]) == len(before[kind]) + 1
    exec_ = next(each["user"]["exec"] for each in after["users"] if "exec" in each["user"])
    assert exec_["command"] == str(TOWLINE) and exec_["interactiveMode"] == "Never"
    assert exec_["args"] == ["cluster", "agent", "get-token", "--agent", str(system.agent_id), "--url", cli.kas.url]
    context = f"towline-localhost-{cli.kas.port}-root-demo-demo"
    kubectl.run("config", "set-context", context, "--namespace=apps")
    cli.agent("update-kubeconfig", "--agent", "demo", "-R", "root/demo", "--use-context", "--cache-mode", "no",
              KUBECONFIG=str(kubeconfig))
    again = json.loads(kubectl.out("config", "view", "--raw", "-o", "json"))
    assert again["current-context"] == context
    assert next(each["context"] for each in again["contexts"] if each["name"] == context)["namespace"] == "apps"
    assert len(again["users"]) == len(after["users"])
    message = cli.error("cluster", "agent", "update-kubeconfig", "--agent", "demo", "-R", "root/demo", "--context", "prod",
                        code=1, KUBECONFIG=str(kubeconfig))
    assert "--context" in message


def test_update_kubeconfig_for_an_agent_that_is_not_there(insider):
    message = insider.error("cluster", "agent", "update-kubeconfig", "--agent", "x", "-R", "root/demo", code=5)
    assert "no agent \"x\"" in message
    assert not (insider.home / ".kube").exists()


def test_get_token_gives_a_token_that_ends_with_the_day(cli, system):
    status = credential(cli.agent("get-token", "--agent", system.agent_id))
    prefix, agent, token = status["token"].split(":")
    assert (prefix, agent) == ("pat", str(system.agent_id)) and token.startswith("glpat-")
    left = time.mktime(time.strptime(status["expirationTimestamp"], "%Y-%m-%dT00:00:00Z")) - time.mktime(time.gmtime())
    assert 0 < left <= 86400 + 300
    assert cli.kas.api("GET", "/user", token=token)[0] in (401, 403), "it reaches clusters and nothing else"
    [file] = cli.cache.glob("*.json")
    assert mode(file) == 0o600 and mode(cli.cache) == 0o700


def test_get_token_keeps_its_token_for_all_agents_and_each_user(cli, system):
    first = credential(cli.agent("get-token", "--agent", "1"))["token"]
    assert credential(cli.agent("get-token", "--agent", "2"))["token"].split(":")[2] == first.split(":")[2]
    assert len(cli.proxy_tokens()) == 1
    other = cli.kas.personal_token(scopes=("api",), name="another login")
    assert credential(cli.agent("get-token", "--agent", "1", TOWLINE_TOKEN=other))["token"] != first
    cli.agent("get-token", "--agent", "1", "--cache-mode", "no")
    assert len(cli.proxy_tokens()) == 3


@pytest.mark.parametrize("damage", [
    lambda text: "no JSON", lambda text: "{}", lambda text: "",
    lambda text: json.dumps({**json.loads(text), "expires_at": "2020-01-01T00:00:00Z"}),
    lambda text: json.dumps({**json.loads(text), "token": "glpat-wrong"}),
])
def test_get_token_makes_a_new_one_when_the_kept_one_is_of_no_use(insider, damage):
    first = credential(insider.agent("get-token", "--agent", "1"))["token"]
    [file] = insider.cache.glob("*.json")
    file.write_text(damage(file.read_text()))
    second = credential(insider.agent("get-token", "--agent", "1"))["token"]
    assert second != first
    assert credential(insider.agent("get-token", "--agent", "1"))["token"] == second


def test_many_at_once_make_one_token(cli):
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        tokens = set(pool.map(lambda _: cli.agent("get-token", "--agent", "1"), range(12)))
    assert len(tokens) == 1 and len(cli.proxy_tokens()) == 1


def test_get_token_is_for_the_server_that_one_is_logged_in_to(insider, outsider):
    message = insider.error("cluster", "agent", "get-token", "--agent", "1", "--url", "https://other.example.com", code=3)
    assert "https://other.example.com" in message and insider.kas.url in message


# What goes wrong on the way.

class Moody(http.server.BaseHTTPRequestHandler):
    """Answers each request with the next of its server's statuses."""

    def do_GET(self):
        self.server.requests.append(self.command)
        status, body = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status in (301, 302):
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def moody():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moody)
    server.requests, server.answers = [], []
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_reading_is_tried_again_while_the_server_is_away_for_a_moment(moody, outsider):
    moody.answers = [(503, b""), (502, b"<html>"), (200, b"[]")]
    assert outsider.json("project", "list", TOWLINE_URL=moody.url, TOWLINE_TOKEN="t") == []
    moody.answers = [(503, b'{"message": "starting"}')] * 3
    assert "starting" in outsider.error("project", "list", code=1, TOWLINE_URL=moody.url, TOWLINE_TOKEN="t")
    assert moody.answers == []


def test_writing_is_never_tried_again(moody, outsider):
    moody.answers = [(503, b"")]
    outsider.error("cluster", "agent", "register", "x", "-R", "a/b", code=1, TOWLINE_URL=moody.url, TOWLINE_TOKEN="t")
    assert moody.requests == ["POST"]


@pytest.mark.parametrize("answer", [(200, b"<html>a page</html>"), (200, b'{"no": "list"}'), (302, b"")])
def test_what_is_not_the_api_is_said(moody, outsider, answer):
    moody.answers = [answer]
    message = outsider.error("project", "list", code=1, TOWLINE_URL=moody.url, TOWLINE_TOKEN="t")
    assert "does not answer like the API" in message and len(moody.requests) == 1


def test_what_a_server_says_cannot_move_the_cursor(moody, outsider):
    moody.answers = [(400, json.dumps({"message": "a\x1b[2Jb"}).encode())]
    assert "\x1b" not in outsider.error("project", "list", code=1, TOWLINE_URL=moody.url, TOWLINE_TOKEN="t")


def test_a_result_that_cannot_be_written_is_a_failure(outsider):
    with open("/dev/full", "w") as full:
        result = subprocess.run([TOWLINE, "version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert result.returncode == 1 and "cannot be written" in result.stderr


def test_a_server_that_does_not_say_how_to_install_an_agent_is_helped(moody, outsider):
    metadata = {"version": "9.8.7", "kas": {"externalUrl": "wss://kas.example.com"}}
    moody.answers = [(201, b'{"id": 3, "name": "x"}'), (201, b'{"id": 5, "token": "glagent-abc"}'),
                     (200, json.dumps(metadata).encode())]
    said = outsider.agent("register", "x", "-R", "a/b", TOWLINE_URL=moody.url, TOWLINE_TOKEN="t", TOWLINE_CA="/my ca.pem")
    for part in (f"helm repo add towline {moody.url}/charts --ca-file '/my ca.pem'\n", "helm upgrade --install x ",
                 "--set image.tag=v9.8.7 ", "--set config.token=glagent-abc ",
                 "--set config.kasAddress=wss://kas.example.com ", "--set-file config.kasCaCert='/my ca.pem'\n"):
        assert part in said, said


# Help and completion.

@pytest.mark.parametrize("command", ["", "login", "logout", "project", "project create", "project list", "cluster",
                                     "cluster agent", "cluster agent register", "cluster agent list",
                                     "cluster agent delete", "cluster agent tokens", "cluster agent tokens create",
                                     "cluster agent update-kubeconfig", "cluster agent get-token", "completion bash",
                                     "version"])
def test_each_command_has_help(outsider, command):
    result = outsider.run(*command.split(), "--help")
    assert f"Usage: towline {command}".strip() in result.stdout and result.stderr == ""


COMPLETIONS = [
    ("clus", {"cluster"}),
    ("cluster agent ", {"register", "list", "delete", "doctor", "tokens", "update-kubeconfig", "get-token"}),
    ("cluster agent tokens re", {"revoke"}),
    ("cluster agent update-kubeconfig --use", {"--use-context"}),
    ("cluster agent -R cluster ", {"register", "list", "delete", "doctor", "tokens", "update-kubeconfig", "get-token"}),
    ("project list --output ", {"table", "json"}),
    ("project list -o j", {"json"}),
    ("project create --visibility p", {"private", "public"}),
    ("login --ca-file ce", {"certificate.pem"}),
    ("completion ", {"bash", "zsh", "fish"}),
    ("cluster agent list --agent", set()),
]


@pytest.mark.parametrize("typed, expected", COMPLETIONS + [("project list --output=t", {"table"})])
def test_bash_completes(outsider, typed, expected):
    (outsider.folder / "certificate.pem").touch()
    script = f"""
        source <(towline completion bash)
        # What readline hands over: words, with = as one of its own.
        read -ra COMP_WORDS <<<"{('towline ' + typed).replace('=', ' = ')}"
        [[ "{typed}" == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _towline
        printf '%s\\n' "${{COMPREPLY[@]}}"
        complete -p towline >&2"""
    result = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=30,
                            env=outsider.environment, cwd=outsider.folder)
    assert result.stderr == "complete -F _towline towline\n"
    assert set(result.stdout.split()) == expected


def typed_at(shell, environment, folder, keys):
    """Starts the shell at a terminal. For each pair of `keys`: waits until the first is on the screen, after what was
    waited for before, and types the second."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(shell[0], shell, {**environment, "TERM": "dumb", "PS1": "ready> "})
    screen = ""
    try:
        for wanted, text in keys:
            while wanted not in screen:
                assert select.select([terminal], [], [], 30)[0], (wanted, screen)
                screen += os.read(terminal, 4096).decode(errors="replace")
            screen = screen.split(wanted, 1)[1]
            os.write(terminal, text.encode())
    finally:
        os.close(terminal)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_the_tab_key_completes_in_bash(outsider):
    typed_at(["bash", "--norc", "-i"], outsider.environment, outsider.folder, [
        ("ready> ", "source <(towline completion bash); echo lo''aded\n"), ("loaded", ""),
        ("ready> ", "towline cluster agent upd\t"), ("update-kubeconfig ", "--cache-mode=f\t"), ("file ", "")])


def test_the_tab_key_completes_in_zsh(outsider):
    typed_at(["zsh", "-f", "-i"], outsider.environment, outsider.folder, [
        ("ready> ", "autoload -U compinit && compinit -D -u && source <(towline completion zsh); echo lo''aded\n"),
        ("loaded", ""), ("ready> ", "towline cluster agent upd\t"), ("update-kubeconfig ", "--cache-mode f\t"),
        ("file ", "--use\t"), ("--use-context ", "")])


@pytest.mark.parametrize("typed, expected", COMPLETIONS)
def test_fish_completes(outsider, typed, expected):
    (outsider.folder / "certificate.pem").touch()
    script = f"towline completion fish | source; complete -C 'towline {typed}'"
    result = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, timeout=30,
                            env=outsider.environment, cwd=outsider.folder)
    assert result.stderr == ""
    assert {line.split("\t")[0] for line in result.stdout.splitlines()} == expected
