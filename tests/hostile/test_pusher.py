"""Those who push and mean harm: no branch moves past the gate, by whatever door, and nobody is kept from Git."""

import base64
import contextlib
import gzip
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import towline
from siege import *

NONE = "0" * 40
EMPTY_PACK = b"PACK\0\0\0\2\0\0\0\0" + bytes.fromhex("029d08823bd8a8eab510ad6ac75c823cfd3ed31e")
_count = iter(range(1, 1000))


def run(folder, *arguments, check=True, ca_file=None):
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
                   "GIT_TERMINAL_PROMPT": "0", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
                   "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    if ca_file:
        environment["GIT_SSL_CAINFO"] = str(ca_file)
    done = subprocess.run(["git", "-C", str(folder), *arguments], env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done


class Clone:
    """A clone of a project with one commit, and a developer who is not a maintainer."""

    def __init__(self, kas, folder):
        number = next(_count)
        self.kas, self.folder, self.project = kas, folder / f"clone{number}", f"root/pushed{number}"
        kas.create_project(f"pushed{number}")
        self.user, self.token = make_user(kas, f"dev{number}")
        kas.api("POST", f"/projects/{towline.quote(self.project)}/members",
                {"user_id": self.user, "access_level": 30}, expect=201)
        run(folder, "init", "-q", "-b", "main", self.folder)
        run(self.folder, "commit", "-q", "--allow-empty", "-m", "one")
        self.git("push", "-q", self.url(kas.TOKEN), "main")

    def url(self, token):
        return f"https://x:{token}@localhost:{self.kas.port}/{self.project}.git"

    def git(self, *arguments, check=True):
        return run(self.folder, *arguments, check=check, ca_file=self.kas.ca_file)

    def push(self, *arguments, token=None, check=False):
        return self.git("push", *arguments[:-1], self.url(token or self.token), arguments[-1], check=check)

    def id(self, revision="HEAD"):
        return self.git("rev-parse", revision).stdout.strip()

    def there(self):
        """Reference to id, on the server."""
        lines = self.git("ls-remote", self.url(self.kas.TOKEN)).stdout.splitlines()
        return {line.split("\t")[1]: line.split("\t")[0] for line in lines}

    def api(self, method, path, body=None, token=None):
        return self.kas.api(method, f"/projects/{towline.quote(self.project)}{path}", body, token=token or self.token)[0]


def make_user(kas, name):
    user = kas.api("POST", "/users", {"username": name, "name": name, "email": f"{name}@example.com",
                                      "password": "long enough"}, expect=201)[1]["id"]
    token = kas.api("POST", f"/users/{user}/personal_access_tokens", {"name": "t", "scopes": ["api"]}, expect=201)[1]
    return user, token["token"]


@pytest.fixture(scope="module")
def relative_kas(tmp_path_factory):
    """A server with all flags at their defaults that may be: its data folder is relative."""
    class Relative(towline.Kas):
        def start(self):
            self.ca_file = self.folder / "towline-data/tls/ca.pem"
            self.process = towline.Process("kas", [
                "env", "-C", self.folder, towline.BIN / "kas", "--listen", f"127.0.0.1:{self.port}",
                "--external-url", self.url, "--observability-listen", f"127.0.0.1:{self.metrics_port}",
                "--root-token-file", self.folder / "root-token", *self.flags], self.folder)
            towline.wait_for(self.ready, "kas to be ready")

    kas = Relative(tmp_path_factory.mktemp("relative"))
    yield kas
    kas.stop()


@pytest.fixture(params=["absolute", "relative"])
def clone(request, system, tmp_path):
    kas = system.kas if request.param == "absolute" else request.getfixturevalue("relative_kas")
    return Clone(kas, tmp_path)


def test_a_protected_branch_is_kept_at_every_door(clone):
    main = clone.id()
    clone.git("commit", "-q", "--allow-empty", "-m", "evil")
    for refused in (["main"], ["-f", "main"], [":main"], ["main:main"]):
        assert clone.push(*refused).returncode != 0, refused
    clone.kas.api("POST", f"/projects/{towline.quote(clone.project)}/repository/branches",
                  {"branch": "production", "ref": "main"}, expect=201)
    assert clone.api("POST", "/protected_branches", {"name": "production"}, token=clone.kas.TOKEN) == 201
    assert clone.push("main:topic").returncode == 0
    assert clone.api("DELETE", "/repository/branches/production") == 403
    assert clone.push(":production").returncode != 0
    assert clone.api("POST", "/repository/files/x", {"branch": "production", "commit_message": "m", "content": "x"}) == 403
    assert clone.api("POST", "/repository/files/x", {"branch": "main", "commit_message": "m", "content": "x"}) == 403
    assert clone.api("PUT", "", {"default_branch": "topic"}) == 403
    there = clone.there()
    assert there["refs/heads/main"] == there["refs/heads/production"] == there["HEAD"] == main


def test_replaced_objects_and_odd_references_are_refused(clone):
    main = clone.id()
    for reference in (f"refs/replace/{main}", "refs/notes/x", "refs/merge-requests/1/head", f"refs/heads/{main}",
                      f"refs/tags/{main}", "refs/tags/" + "a" * 64, "refs/heads/" + "x" * 256):
        assert clone.push(f"HEAD:{reference}").returncode != 0, reference
    assert set(clone.there()) == {"HEAD", "refs/heads/main"}


def test_a_developers_first_push_chooses_no_default_branch(clone):
    project = f"{clone.project}-empty"
    clone.kas.create_project(project.split("/")[1])
    quoted = towline.quote(project)
    clone.kas.api("POST", f"/projects/{quoted}/members", {"user_id": clone.user, "access_level": 30}, expect=201)
    clone.project = project
    assert clone.push("main:main").returncode != 0
    assert clone.push("main:trunk").returncode == 0
    assert clone.kas.api("GET", f"/projects/{quoted}", expect=200)[1]["default_branch"] == "main"


class RawPush:
    """A push by the protocol's own bytes, as slowly as one likes."""

    def __init__(self, clone, reference, new):
        self.sock = clone.kas.connect(["http/1.1"])
        login = base64.b64encode(f"x:{clone.token}".encode()).decode()
        self.sock.sendall((f"POST /{clone.project}.git/git-receive-pack HTTP/1.1\r\nHost: localhost\r\n"
                           f"Authorization: Basic {login}\r\nTransfer-Encoding: chunked\r\n"
                           "Content-Type: application/x-git-receive-pack-request\r\nConnection: close\r\n\r\n").encode())
        line = f"{NONE} {new} {reference}\0 report-status".encode()
        self.chunk(f"{len(line) + 4:04x}".encode() + line + b"0000")

    def chunk(self, data):
        self.sock.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def finish(self):
        self.chunk(EMPTY_PACK)
        self.sock.sendall(b"0\r\n\r\n")
        return read_all(self.sock)


def children_of(kas):
    found = subprocess.run(["ps", "--ppid", str(kas.process.pid), "-o", "pid="], capture_output=True, text=True)
    return len(found.stdout.split())


@pytest.mark.parametrize("loss", ["member", "token", "user", "rule"])
def test_a_push_under_way_is_refused_once_the_right_is_lost(system, tmp_path, loss):
    clone, kas = Clone(system.kas, tmp_path), system.kas
    fair = RawPush(clone, "refs/heads/fair", clone.id()).finish()
    assert b"ok refs/heads/fair" in fair, fair
    push = RawPush(clone, "refs/heads/late", clone.id())
    towline.wait_for(lambda: children_of(kas), "git to run for the push")
    quoted = towline.quote(clone.project)
    if loss == "member":
        kas.api("DELETE", f"/projects/{quoted}/members/{clone.user}", expect=204)
    elif loss == "token":
        kas.api("DELETE", "/personal_access_tokens/self", token=clone.token, expect=204)
    elif loss == "user":
        kas.api("POST", f"/users/{clone.user}/block", expect=201)
    else:
        kas.api("POST", f"/projects/{quoted}/protected_branches", {"name": "l*"}, expect=201)
    answer = push.finish()
    assert b"ng refs/heads/late" in answer, answer
    assert "refs/heads/late" not in clone.there()


def test_patterns_of_many_stars_cost_nothing(system, tmp_path):
    clone = Clone(system.kas, tmp_path)
    with others_are_served(system):
        assert clone.api("POST", "/protected_branches", {"name": "*a" * 12 + "*b"}, token=system.kas.TOKEN) == 400
        assert clone.api("POST", "/protected_branches", {"name": "*a" * 7 + "*b"}, token=system.kas.TOKEN) == 201
        for i in range(8):
            body = {"branch": "a" * 200 + str(i), "start_branch": "main", "commit_message": "m", "content": "x"}
            assert clone.api("POST", f"/repository/files/f{i}", body) == 201


def test_trickling_strangers_keep_nobody_from_git(system, tmp_path):
    kas = system.kas
    name = f"pub{next(_count)}"
    kas.api("POST", "/projects", {"name": name, "visibility": "public", "initialize_with_readme": True}, expect=201)
    url = f"{kas.url}/root/{name}.git"
    with contextlib.ExitStack() as stack:
        for _ in range(64):
            sock = stack.enter_context(kas.connect(["http/1.1"]))
            sock.sendall(f"POST /root/{name}.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                         "Content-Type: application/x-git-upload-pack-request\r\n\r\n1\r\n0\r\n".encode())
        for path in (f"https://x:{kas.TOKEN}@localhost:{kas.port}/root/{name}.git", url):
            start = time.monotonic()
            done = run(tmp_path, "ls-remote", path, ca_file=kas.ca_file)
            assert "refs/heads/main" in done.stdout and time.monotonic() - start < 10
        assert children_of(kas) <= 4


def test_what_unpacks_to_much_ends_at_the_limit(system, tmp_path):
    clone = Clone(system.kas, tmp_path)
    squeezed = gzip.compress((b"0032want " + b"1" * 40 + b"\n") * 400_000, 6)
    login = base64.b64encode(f"x:{clone.token}".encode()).decode()
    with others_are_served(system):
        request = urllib.request.Request(f"{system.kas.url}/{clone.project}.git/git-upload-pack", squeezed, {
            "Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip",
            "Authorization": f"Basic {login}"})
        with pytest.raises((urllib.error.HTTPError, ConnectionError, OSError)) as caught:
            urllib.request.urlopen(request, timeout=30, context=system.kas.tls())
        assert getattr(caught.value, "code", 413) == 413


def test_many_references_are_refused_together_and_at_once(system, tmp_path):
    clone = Clone(system.kas, tmp_path)
    names = "".join(f"create refs/heads/b{i} HEAD\n" for i in range(1200))
    subprocess.run(["git", "-C", str(clone.folder), "update-ref", "--stdin"], input=names, text=True, check=True)
    start = time.monotonic()
    done = clone.push("refs/heads/b*:refs/heads/b*")
    assert done.returncode != 0 and "the limit is 1000" in done.stderr, done.stderr[-500:]
    assert time.monotonic() - start < 20
    assert set(clone.there()) == {"HEAD", "refs/heads/main"}
