"""Repositories that mean harm: what is pushed into them takes nobody's place, and reading it costs nobody else anything."""

import base64
import hashlib
import itertools
import json
import struct
import subprocess
import threading
import time
import urllib.request
import zlib

import pytest

import towline
from siege import *

KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4, "delta": 7}
BY = b"a <a@b> 1700000000 +0000"
_count = itertools.count(1)


def varint(number):
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


class Pack:
    """Objects as a push sends them, made by hand."""

    def __init__(self):
        self.objects = []

    def raw(self, kind, size, body, prefix=b""):
        head, rest = (KINDS[kind] << 4) | (size & 15), size >> 4
        encoded = b""
        while rest:
            encoded += bytes([head | 128])
            head, rest = rest & 127, rest >> 7
        self.objects.append(encoded + bytes([head]) + prefix + body)

    def add(self, kind, content):
        self.raw(kind, len(content), zlib.compress(content))
        return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).digest()

    def add_zeros(self, mebibytes):
        squeeze, digest = zlib.compressobj(9), hashlib.sha1(f"blob {mebibytes << 20}\0".encode())
        body, piece = b"", bytes(MIB)
        for _ in range(mebibytes):
            digest.update(piece)
            body += squeeze.compress(piece)
        self.raw("blob", mebibytes << 20, body + squeeze.flush())
        return digest.digest()

    def add_start_of(self, base, base_size, size):
        """The first bytes of a blob of zeros, stored as a difference to it."""
        delta = varint(base_size) + varint(size) + bytes([0x90, size])
        self.raw("delta", len(delta), zlib.compress(delta), prefix=base)
        return hashlib.sha1(f"blob {size}\0".encode() + bytes(size)).digest()

    def add_chain(self, mebibytes, links):
        """A blob that is a difference of one byte to a blob that is a difference to a blob, and so on."""
        last, content = self.add_zeros(mebibytes), bytearray(mebibytes << 20)
        for _ in range(links):
            size = len(content)
            content += b"x"
            delta = varint(size) + varint(size + 1) + b"\xf0" + struct.pack("<I", size)[:3] + b"\x01x"
            self.raw("delta", len(delta), zlib.compress(delta), prefix=last)
            last = hashlib.sha1(f"blob {size + 1}\0".encode() + content).digest()
        return last

    def tree(self, *entries):
        return self.add("tree", b"".join(mode + b" " + name + b"\0" + id for mode, name, id in entries))

    def commit(self, tree, message=b"x"):
        return self.add("commit", b"tree " + tree.hex().encode() + b"\nauthor " + BY + b"\ncommitter " + BY +
                        b"\n\n" + message)

    def bytes(self):
        pack = b"PACK" + struct.pack(">II", 2, len(self.objects)) + b"".join(self.objects)
        return pack + hashlib.sha1(pack).digest()


def push(system, project, pack, reference, new, check=True):
    """Pushes by the protocol's own bytes; returns Git's report, which is of success if that is checked."""
    line = f"{'0' * 40} {new.hex()} {reference}\0 report-status\n".encode()
    request = urllib.request.Request(
        f"{system.kas.url}/{project}.git/git-receive-pack", f"{len(line) + 4:04x}".encode() + line + b"0000" + pack.bytes(),
        {"Content-Type": "application/x-git-receive-pack-request",
         "Authorization": "Basic " + base64.b64encode(f"x:{system.kas.TOKEN}".encode()).decode()})
    with urllib.request.urlopen(request, timeout=60, context=system.kas.tls()) as response:
        report = response.read()
    assert not check or (b"unpack ok" in report and f"ok {reference}\n".encode() in report), report
    return report


@pytest.fixture
def project(system, request):
    """A project with a commit on main."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower()).strip("-")[:50].strip("-")
    name += f"-{next(_count)}"
    system.kas.api("POST", "/projects", {"name": name, "visibility": "public"}, expect=201)
    write_file(system, f"root/{name}", "file", "good")
    return f"root/{name}"


def code(project, path):
    return f"/projects/{towline.quote(project)}/repository{path}"


def write_file(system, project, path, content, branch="main"):
    status, answer = system.kas.api("POST", code(project, "/files/" + towline.quote(path)),
                                    {"branch": branch, "content": content, "commit_message": "x"})
    assert status == 201, answer


def head_of(system, project, branch="main"):
    return system.kas.api("GET", code(project, f"/branches/{branch}"), expect=200)[1]["commit"]["id"]


def plant(system, project, reference, commit):
    """Sets a reference behind the server's back, as it may have come there before such names were refused."""
    number = system.kas.api("GET", "/projects/" + towline.quote(project), expect=200)[1]["id"]
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    folder = system.kas.folder / f"data/repositories/@hashed/{digest[:2]}/{digest[2:4]}/{digest}.git"
    subprocess.run(["git", "-c", "safe.directory=*", "-C", folder, "update-ref", reference, commit], check=True)


# Names that are written like ids.

@pytest.mark.parametrize("kind", ["heads", "tags"])
def test_a_name_that_is_written_like_the_head_of_main_takes_nothing_over(system, project, kind):
    head = head_of(system, project)
    pack = Pack()
    evil = pack.commit(pack.tree((b"100644", b"file", pack.add("blob", b"evil"))))
    push(system, project, pack, "refs/heads/topic", evil)
    plant(system, project, f"refs/{kind}/{head}", evil.hex())

    assert system.kas.call("GET", code(project, f"/files/file/raw?ref={head}"))[2] == b"good"
    assert system.kas.call("GET", code(project, "/files/file/raw?ref=main"))[2] == b"good"
    assert system.kas.api("GET", code(project, f"/commits/{head}"), expect=200)[1]["id"] == head
    assert head_of(system, project) == head
    write_file(system, project, "other", "x")
    made = system.kas.api("GET", code(project, "/commits/main"), expect=200)[1]
    assert made["parent_ids"] == [head]
    assert system.kas.call("GET", code(project, "/files/file/raw?ref=main"))[2] == b"good"


def test_an_agents_configuration_is_read_from_the_head_and_not_from_a_branch_of_its_name(system, project):
    path = ".gitlab/agents/a/config.yaml"
    write_file(system, project, path, "observability:\n  logging:\n    level: error\n")
    head = head_of(system, project)
    pack = Pack()
    tree = pack.add("blob", b"observability:\n  logging:\n    level: debug\n")
    for name in (b"config.yaml", b"a", b"agents", b".gitlab"):
        tree = pack.tree((b"100644" if name == b"config.yaml" else b"40000", name, tree))
    evil = pack.commit(tree)
    push(system, project, pack, "refs/heads/topic", evil)
    plant(system, project, f"refs/heads/{head}", evil.hex())
    agent = system.kas.register_agent("a", project)
    page = f"/projects/{towline.quote(project)}/cluster_agents/{agent}/configuration"
    found = system.kas.api("GET", page, expect=200)[1]
    assert found["commit_id"] == head and "error" in found["content"], found


@pytest.mark.parametrize("name", ["a" * 40, "A" * 40, "0" * 64, "refs/heads/main", "HEAD"])
def test_a_branch_that_is_written_like_something_else_is_not_made(system, name):
    status, answer = system.kas.api("POST", code("root/demo", "/branches"), {"branch": name, "ref": "main"})
    assert status == 400 and "not a valid branch name" in answer["message"], answer
    status, answer = system.kas.api("POST", code("root/demo", "/files/x"), {
        "branch": name, "start_branch": "main", "content": "x", "commit_message": "x"})
    assert status == 400, answer


# Revisions that are a language.

def test_revisions_are_names_and_ids_only(system):
    with others_are_served(system):
        for revision in [":/(a+)+$", "main^{/(a|a)*b}", "main~1", "HEAD@{1}", "@{-1}", "main:file", "@{}", "^{/x}", "~3",
                         "main" + "~1" * 2000, "main" + "^{}" * 2000, "x" * 8000, "main\0"]:
            start = time.monotonic()
            assert system.kas.call("GET", code("root/demo", "/commits/" + towline.quote(revision)))[0] in (400, 404), revision
            assert system.kas.call("GET", code("root/demo", "/tree?ref=" + towline.quote(revision)))[0] in (400, 404), revision
            assert time.monotonic() - start < 5, revision


@pytest.mark.measures
def test_expensive_revisions_of_many_strangers_disturb_nobody(system, project):
    pack, parent = Pack(), None
    tree = pack.tree((b"100644", b"file", pack.add("blob", b"x")))
    for i in range(3000):
        parent = pack.add("commit", b"tree " + tree.hex().encode() + (b"\nparent " + parent.hex().encode() if parent else b"") +
                          b"\nauthor " + BY + b"\ncommitter " + BY + b"\n\n" + b"a" * 40 + b"!%d" % i)
    push(system, project, pack, "refs/heads/long", parent)

    def ask(path):
        for _ in range(3):
            system.kas.call("GET", code(project, path), token="")

    paths = ["/commits/" + towline.quote(":/(a+)+$"), "/commits/" + towline.quote("long^{/(a+)+$}"),
             "/commits?ref_name=long&path=no/where", "/commits?ref_name=long&path=file&page=100"] * 4
    with others_are_served(system):
        threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)


# Trees.

@pytest.mark.measures
def test_a_deep_tree_is_refused_and_not_walked(system, project):
    """In several pushes, so that no recursion of Git's own sees its depth."""
    below, mode = None, b"100644"
    with others_are_served(system):
        for step in range(3):
            pack = Pack()
            below = below or pack.add("blob", b"x")
            for _ in range(8000):
                below, mode = pack.tree((mode, b"a", below)), b"40000"
            push(system, project, pack, f"refs/heads/deep{step}", pack.commit(below))
        for path in ["/tree?recursive=true&per_page=1&ref=deep2", "/tree?recursive=true&ref=deep2&path=a/a/a"]:
            status, _, text = system.kas.call("GET", code(project, path))
            assert status == 413 and b"512 deep" in text, text
        status, answer = system.kas.api("GET", code(project, "/tree?ref=deep2"))
        assert status == 200 and len(answer) == 1
        deep = "/".join(["a"] * 2000)
        for path in [f"/tree?ref=deep2&path={deep}", f"/files/{towline.quote(deep)}?ref=deep2",
                     f"/commits?ref_name=deep2&path={deep}"]:
            assert system.kas.call("GET", code(project, path))[0] in (400, 414, 431), path


def test_a_folder_of_many_entries_is_listed_by_pages_without_counting_all(system, project):
    pack = Pack()
    blob = pack.add("blob", b"x")
    below = pack.tree(*[(b"100644", b"%03d" % i, blob) for i in range(100)])
    for _ in range(4):
        below = pack.tree(*[(b"40000", b"%03d" % i, below) for i in range(100)])
    push(system, project, pack, "refs/heads/wide", pack.commit(below))
    with others_are_served(system):
        status, headers, text = system.kas.call("GET", code(project, "/tree?recursive=true&per_page=2&ref=wide"))
        assert status == 200 and headers["X-Total"] is None and headers["X-Next-Page"] == "2", text
        assert 'rel="next"' in headers["Link"] and 'rel="last"' not in headers["Link"]
        status, headers, _ = system.kas.call("GET", code(project, "/tree?per_page=2&ref=wide"))
        assert status == 200 and headers["X-Total"] == "100"
        assert system.kas.call("GET", code(project, "/tree?recursive=true&per_page=100&page=5000&ref=wide"))[0] == 413


def test_configuration_files_are_listed_by_pages(system, project):
    pack = Pack()
    one = pack.tree((b"100644", b"config.yaml", pack.add("blob", b"")))
    agents = pack.tree(*[(b"40000", b"a%05d" % i, one) for i in range(11_000)])
    top = pack.commit(pack.tree((b"40000", b".gitlab", pack.tree((b"40000", b"agents", agents)))))
    push(system, project, pack, "refs/heads/many", top)
    system.kas.api("PUT", "/projects/" + towline.quote(project), {"default_branch": "many"}, expect=200)
    number = system.kas.register_agent("a00001", project)
    path = f"/projects/{towline.quote(project)}/cluster_agents/configurations"
    with others_are_served(system):
        status, headers, text = system.kas.call("GET", path + "?per_page=2")
    assert status == 200 and headers["X-Next-Page"] == "2" and headers["X-Total"] is None
    assert json.loads(text) == [
        {"name": "a00000", "path": ".gitlab/agents/a00000/config.yaml", "agent_id": None, "warning": None},
        {"name": "a00001", "path": ".gitlab/agents/a00001/config.yaml", "agent_id": number, "warning": None}]


# Files.

@pytest.mark.measures
@pytest.mark.parametrize("stored", ["whole", "as_difference", "as_chain"])
def test_a_file_that_is_a_bomb_is_not_inflated(system, project, stored):
    pack = Pack()
    if stored == "as_chain":
        blob = pack.add_chain(9, 70)
    else:
        blob = pack.add_zeros(256)
    if stored == "as_difference":
        blob = pack.add_start_of(blob, 256 * MIB, 100)
    for i in range(200 if stored != "whole" else 0):  # Git keeps a pack of so many objects as it was sent
        pack.add("blob", b"%d" % i)
    tree = blob
    for name in (b"config.yaml", b"a", b"agents", b".gitlab"):
        tree = pack.tree((b"100644" if name == b"config.yaml" else b"40000", name, tree))
    report = push(system, project, pack, "refs/heads/bomb", pack.commit(tree), check=False)
    if b"ng refs" in report or b"unpack ok" not in report:
        return  # refused at once, which is as well
    path = towline.quote(".gitlab/agents/a/config.yaml")
    # A chain of differences costs each thread of the pool its allowance, and the allocator keeps it.
    with others_are_served(system, growth=(256 if stored == "as_chain" else 80) * MIB):
        for _ in range(4):
            for end in ("", "/raw"):
                status, _, text = system.kas.call("GET", code(project, f"/files/{path}{end}?ref=bomb"))
                assert status == 413, (status, text[:200])
        system.kas.api("PUT", "/projects/" + towline.quote(project), {"default_branch": "bomb"}, expect=200)
        agent = system.kas.register_agent("a", project)
        found = system.kas.api("GET", f"/projects/{towline.quote(project)}/cluster_agents/{agent}/configuration", expect=200)[1]
    assert found["state"] == "invalid" and found["fault"], found


def test_a_file_over_the_limit_of_json_is_had_raw(system, project):
    pack = Pack()
    large = pack.commit(pack.tree((b"100644", b"f", pack.add_zeros(11))))
    push(system, project, pack, "refs/heads/large", large)
    assert system.kas.call("GET", code(project, "/files/f?ref=large"))[0] == 413
    assert len(system.kas.call("GET", code(project, "/files/f/raw?ref=large"))[2]) == 11 * MIB
