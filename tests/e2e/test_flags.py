"""What a person gives the programs, flags, files and addresses, is refused in words when it cannot be: it names the
flag, says what is wrong, and ends no program by a signal."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import towline

BIN = towline.BIN


def run(*arguments, environment=None, seconds=30):
    """Runs a program that is to end by itself; returns its exit code and all it has said."""
    result = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=seconds,
                            env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def files(tmp_path):
    """Things that stand where a file is expected, by name, and files that are right."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "gigabyte", "wb") as large:
        large.truncate(1 << 30)
    (tmp_path / "token").write_text("glagent-token\n")
    (tmp_path / "kubeconfig").write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
    return tmp_path


WRONG = {"folder": "is a folder, where a file is expected", "/dev/zero": "is a device, where a file is expected",
         "pipe": "is a pipe, where a file is expected", "gigabyte": "larger than 1048576 bytes",
         "none": "No such file or directory"}


def agentk(files, *flags, address="wss://127.0.0.1:1/-/kubernetes-agent/", switches=()):
    given = {"--kas-address": address, "--token-file": files / "token", "--kubeconfig": files / "kubeconfig",
             "--observability-listen-address": "127.0.0.1:0"}
    given.update(zip(flags[::2], flags[1::2]))
    return run(BIN / "agentk", *[part for pair in given.items() for part in pair], *switches)


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("flag", ["--token-file", "--kas-ca-cert-file", "--observability-cert-file"])
def test_agentk_refuses_what_is_no_file(files, flag, what):
    more = ["--observability-key-file", files / "token"] if flag == "--observability-cert-file" else []
    code, said = agentk(files, flag, files / what, *more)
    assert code == 1 and f"{flag}: {files / what}: {WRONG[what]}" in said, (code, said)


@pytest.mark.parametrize("flag, place", [("--kubeconfig", "kubeconfig"), ("--client-certificate", "client-certificate"),
                                         ("--certificate-authority", "certificate-authority")])
def test_agentk_refuses_what_is_no_file_of_the_cluster(files, flag, place):
    more = ["--client-key", files / "folder"] if flag == "--client-certificate" else []
    switches = ["--insecure-skip-tls-verify=false"] if flag == "--certificate-authority" else []
    code, said = agentk(files, flag, files / "folder", *more, switches=switches)
    assert code == 1 and f"{place}: {files}/folder: {WRONG['folder']}" in said, (code, said)


@pytest.mark.parametrize("text, why", [("a\nb\n", "holds a line break or another control character"),
                                       ("a\x00b", "control character"), (" \n", "is empty")])
def test_a_token_file_with_more_than_a_token_is_refused(files, text, why):
    (files / "token").write_text(text)
    code, said = agentk(files)
    assert code == 1 and f"--token-file: {files}/token " in said and why in said, (code, said)


def test_a_header_with_a_line_break_is_refused(files):
    code, said = agentk(files, "--kas-header", "X-A: b\r\nX-C: d")
    assert code == 1 and "--kas-header X-A: holds a line break" in said, (code, said)


@pytest.mark.parametrize("address", ["wss://localhost:12x/", "grpc://localhost:notaport", "grpcs://localhost:",
                                     "ws://localhost:80:90/", "grpc://localhost:65536"])
def test_a_port_that_is_no_number_is_refused(files, address):
    code, said = agentk(files, address=address)
    assert code == 1 and "--kas-address" in said and "port must be 1 to 65535" in said, (code, said)


def test_a_cluster_at_no_port_is_refused(files):
    code, said = agentk(files, "--server", "https://127.0.0.1:1644x")
    assert code == 1 and "port must be 1 to 65535" in said, (code, said)


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:12x", "http://127.0.0.1:https://b:1", "proxy:notaport"])
def test_a_proxy_at_no_port_is_refused(files, proxy):
    code, said = run(BIN / "agentk", "--kas-address", "wss://192.0.2.1/", "--token-file", files / "token",
                     "--kubeconfig", files / "kubeconfig", "--observability-listen-address", "127.0.0.1:0",
                     environment={"HTTPS_PROXY": proxy})
    assert code == 1 and "HTTPS_PROXY is not the address of an HTTP proxy" in said, (code, said)


def kas(files, *flags):
    return run(BIN / "kas", "--data-dir", files / "data", "--listen", "127.0.0.1:0", "--observability-listen",
               "127.0.0.1:0", *flags)


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("flag", ["--root-token-file", "--root-password-file", "--external-ca", "--database-url-file",
                                  "--tls-cert-file", "--tls-key-file", "--config"])
def test_kas_refuses_what_is_no_file(files, flag, what):
    other = {"--tls-cert-file": ["--tls-key-file", files / "token"], "--tls-key-file": ["--tls-cert-file", files / "token"]}
    code, said = kas(files, flag, files / what, *other.get(flag, []))
    assert code in (1, 2) and f"{flag}: {files / what}: {WRONG[what]}" in said, (code, said)


def test_kas_refuses_a_secret_of_two_lines(files):
    (files / "two").write_text("glpat-one\nglpat-two\n")
    code, said = kas(files, "--root-token-file", files / "two")
    assert code == 1 and f"--root-token-file: {files}/two holds a line break" in said, (code, said)


def test_kas_refuses_a_secret_in_its_address(files):
    code, said = kas(files, "--external-url", "https://user:hunter2@kas.example.com")
    assert code == 1 and "--external-url: must not hold a user name or password" in said and "hunter2" not in said, said


@pytest.mark.parametrize("address", ["wss://user:hunter2@kas:12x/", "ftp://user:hunter2@kas/", "wss://user:hunter2@"])
def test_a_wrong_address_is_named_without_its_password(files, address):
    code, said = agentk(files, address=address)
    assert code == 1 and "--kas-address" in said and "***@" in said and "hunter2" not in said, (code, said)


def test_kas_refuses_a_file_for_its_folder(files):
    code, said = kas(files, "--data-dir", files / "token")
    assert code != 0 and "--data-dir" in said and code > 0, (code, said)


@pytest.mark.parametrize("text, complaint", [
    ("log-level: info\nlistenn: 127.0.0.1:0\n", ':2: unknown key "listenn"; did you mean "listen"?'),
    ("something-else: 1\n", ':1: unknown key "something-else"; kas --help has the flags'),
    ("config: other.yaml\n", ':1: unknown key "config"'),
    ("loops: 1\nlog-level: info\nloops: 2\n", ':3: "loops" occurs twice, first on line 1'),
    ("log-level: info\nmax-connections: many\n", ":2: "), ("log-level: loud\n", ":1: "),
    ("max-requests-per-agent: 0\n", ":1: "),
    ("\nlisten: [127.0.0.1:0, 127.0.0.1:1]\n", ':2: "listen" takes one value, and here is a list of 2'),
    ("listen: {a: b}\n", ':1: "listen" must have a single value'), ("listen:\n", ':1: "listen" must have a single value'),
    ("trusted-proxy: [10.0.0.1, {}]\n", ':1: "trusted-proxy" must have'), ("- a\n", ":1: the file must be a map"),
    ("a: [\n", "not YAML"), ("? [a]\n: b\n", "a key must be the name of a flag"),
    ("trusted-proxy: [nonsense]\n", ":1: --trusted-proxy"),
])
def test_a_fault_in_the_file_of_flags_is_said_with_its_place(files, text, complaint):
    (files / "kas.yaml").write_text(text)
    code, said = kas(files, "--config", files / "kas.yaml")
    assert code == 2 and f"{files}/kas.yaml{complaint}" in said if complaint[0] == ":" else complaint in said, (code, said)


def test_a_fault_on_the_command_line_is_not_blamed_on_the_file(files):
    (files / "kas.yaml").write_text("log-level: info\n")
    code, said = kas(files, "--config", files / "kas.yaml", "--max-connections", "many")
    assert code == 2 and "kas.yaml" not in said and "--max-connections" in said, (code, said)


def test_towline_refuses_what_is_no_file(files):
    environment = {"HOME": str(files), "XDG_CONFIG_HOME": str(files), "TOWLINE_TOKEN": "glpat-x"}
    code, said = run(BIN / "towline", "login", "--url", "https://localhost:1", "--ca-file", files / "folder",
                     environment=environment)
    assert code in (1, 2) and f"--ca-file: cannot read {files}/folder: {WRONG['folder']}" in said, (code, said)


@pytest.mark.parametrize("flags, owner", [([], 0), (["--allow-core-dumps"], 65534)])
def test_the_memory_of_a_program_is_its_own(files, flags, owner):
    """Linux gives /proc/<pid> of a process that leaves no core dumps to the superuser."""
    folder = pathlib.Path(tempfile.mkdtemp())  # which an ordinary user can enter
    try:
        folder.chmod(0o755)
        for name, source in (("agentk", BIN / "agentk"), ("token", files / "token"), ("kubeconfig", files / "kubeconfig")):
            shutil.copy(source, folder / name)
            (folder / name).chmod(0o755)
        process = subprocess.Popen(
            [folder / "agentk", "--kas-address", "grpc://127.0.0.1:1", "--token-file", folder / "token",
             "--kubeconfig", folder / "kubeconfig", "--observability-listen-address", "127.0.0.1:0", *flags],
            user=65534, group=65534, stderr=subprocess.PIPE, text=True, env={"PATH": "/usr/bin"})
        try:
            while "cannot connect to the server" not in process.stderr.readline():
                assert process.poll() is None
            assert os.stat(f"/proc/{process.pid}/environ").st_uid == owner
        finally:
            process.terminate()
            process.communicate(timeout=30)
        assert process.returncode == 0
    finally:
        shutil.rmtree(folder)
