"""The Debian packages, built, judged and installed by Debian's own tools on a machine that is thrown away."""

import hashlib
import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml

import machine as machines
import towline

pytestmark = pytest.mark.measures  # it packs the release build whatever is under test
DATA = "/var/lib/towline"
CONFIG = "/etc/towline/kas.yaml"
UNIT = "towline-kas.service"
BUILD = towline.REPOSITORY / "packaging/build"


def build(folder, **environment):
    result = subprocess.run([BUILD, "--output", folder], capture_output=True, text=True, timeout=300,
                            env={**os.environ, **environment})
    assert result.returncode == 0, result.stderr
    return result.stdout


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(folder).glob("*.deb")}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The folder with both packages."""
    folder = tmp_path_factory.mktemp("packages")
    output = build(folder)
    assert re.search(r"towline-kas_\S+\.deb \d+ bytes\n  Depends: git, .*libssl3", output)
    assert len(list(folder.iterdir())) == 3, "two packages and the log"
    return folder


@pytest.fixture(scope="module")
def contents(packages, tmp_path_factory):
    """The files of both packages, unpacked."""
    folder = tmp_path_factory.mktemp("contents")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    return folder


@pytest.fixture
def machine(tmp_path, packages):
    """A machine without Towline, with the packages in its /tmp."""
    made = machines.Machine(tmp_path / "machine")
    for package in packages.glob("*.deb"):
        (made.path("/tmp") / package.name).write_bytes(package.read_bytes())
    yield made
    made.stop()


@pytest.fixture
def installed(machine):
    machine.shell("dpkg --install /tmp/*.deb")
    assert ready(machine), "an installation ends with a server that serves"
    return machine


def ready(machine):
    return "ready" in machine.out("curl", "-sf", "http://127.0.0.1:8151/readiness", check=False)


def restart(machine):
    machine.run("systemctl", "restart", UNIT)
    assert ready(machine), "systemd has waited for the server"


def refuses_to_start(machine):
    return machine.run("systemctl", "restart", UNIT, check=False).returncode != 0


def state(machine):
    return machine.out("systemctl", "is-active", UNIT, check=False)


def log(machine):
    return machine.out("journalctl", "--unit", UNIT, "--output", "cat", "--no-pager")


def main_pid(machine):
    return machine.out("systemctl", "show", "--property=MainPID", "--value", UNIT)


def version(machine, package):
    return machine.out("dpkg-query", "-Wf", "${Version}", package)


def login(machine):
    machine.shell(f"towline login --url https://localhost:8150 --ca-file {DATA}/tls/ca.pem "
                  f"--token-stdin <{DATA}/root-token")


def with_git(project):
    """A shell's beginning: the project's address is $url, and the folder is a clone of it."""
    return f"""
        export GIT_SSL_CAINFO={DATA}/tls/ca.pem EMAIL=a@example.com
        url=https://root:$(cat {DATA}/root-token)@localhost:8150/root/{project}.git
        test -d /tmp/clone || git clone -q "$url" /tmp/clone
        cd /tmp/clone"""


def sign_in(machine, password):
    """root's session."""
    return json.loads(machine.out(
        "curl", "-s", "--cacert", f"{DATA}/tls/ca.pem", "--header", "Content-Type: application/json", "--data", "@-",
        "https://localhost:8150/api/v4/session", input=json.dumps({"login": "root", "password": password})))


def newer_packages(machine):
    """The same packages under a higher version."""
    machine.shell("""
        for file in /tmp/*.deb; do
          dpkg-deb --raw-extract "$file" /tmp/unpacked
          sed -i 's/^Version: .*/&+1/; s/(= \\(.*\\))/(= \\1+1)/' /tmp/unpacked/DEBIAN/control
          dpkg-deb -Znone --root-owner-group --build /tmp/unpacked "${file%.deb}+1.deb.new"
          rm -r /tmp/unpacked
        done""")


def add_documented_drop_in(machine, about):
    """The manual's drop-in that says this, as it stands there."""
    manual = (towline.REPOSITORY / "docs/operations.md").read_text()
    text, = (each for each in re.findall(r"^```\n(\[Service\]\n.*?)^```", manual, re.M | re.S) if about in each)
    folder = machine.path(f"/etc/systemd/system/{UNIT}.d")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "documented.conf").write_text(text)
    machine.run("systemctl", "daemon-reload")


def write_secret(machine, path, text):
    """A file that only root can read."""
    file = machine.path(path)
    file.parent.mkdir(exist_ok=True)
    file.touch(0o600)
    file.write_text(text + "\n")


def configure(machine, line):
    """Takes the comment sign away from a line of the configuration file, and sets its value."""
    name = line.split(":")[0]
    text, count = re.subn(rf"^#{name}:.*$", line, machine.path(CONFIG).read_text(), flags=re.M)
    assert count == 1
    machine.path(CONFIG).write_text(text)


def test_a_second_build_elsewhere_gives_the_same_bytes(packages, tmp_path):
    build(tmp_path / "again", TZ="Asia/Tokyo", LANG="de_DE.UTF-8", SOURCE_DATE_EPOCH="1", DEB_BUILD_OPTIONS="nostrip")
    assert len(digests(packages)) == 2 and digests(packages) == digests(tmp_path / "again")


def test_programs_do_not_depend_on_the_folder_of_their_build(contents):
    for program in ("usr/sbin/kas", "usr/bin/towline"):
        content = (contents / program).read_bytes()
        assert str(towline.REPOSITORY).encode() not in content, program
        assert b".note.gnu.build-id" not in content, f"{program}: this is made of debugging information, with folders"


def test_the_script_refuses_what_it_does_not_know(tmp_path):
    result = subprocess.run([BUILD, "--outptu", tmp_path], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "unknown argument --outptu; see packaging/build --help" in result.stderr


def test_lintian_finds_neither_errors_nor_warnings(packages):
    result = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *packages.glob("*.deb")],
                            capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_unit_leaves_little_to_attack(contents):
    """systemd's own measure, from 0 to 10."""
    result = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=15", "--no-pager",
                             contents / "lib/systemd/system" / UNIT], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_configuration_file_has_every_flag_with_its_default(contents):
    text = (contents / "etc/towline/kas.yaml").read_text()
    assert yaml.safe_load(text) is None, "all is commented out"
    offered = yaml.safe_load("\n".join(re.findall(r"^#([a-z-]+: .*)$", text, re.M)))
    usage = subprocess.run([contents / "usr/sbin/kas", "--help"], check=True, capture_output=True, text=True).stdout
    flags = re.findall(r"^  --([a-z-]+)", usage, re.M)
    defaults = dict(re.findall(r"^  --([a-z-]+) [A-Z]+(?::\S+?(?: in \[.*?\])?)?=(\S+)", usage, re.M))
    given_by_unit = {"version", "config", "data-dir", "root-password-file", "root-token-file"}
    assert set(offered) == set(flags) - given_by_unit
    assert len(defaults) > 8
    for name in set(defaults) - given_by_unit:
        assert str(offered[name]) == defaults[name], name
    service = (contents / "lib/systemd/system" / UNIT).read_text()
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", service, re.M).group(1)) > offered["shutdown-timeout"]


def test_the_service_runs_at_once_and_serves_git_from_its_sandbox(installed):
    installed.run("systemd-analyze", "verify", "--man=no", f"/lib/systemd/system/{UNIT}")
    assert installed.out("systemctl", "is-enabled", UNIT) == "enabled"
    assert installed.out("stat", "--format=%U %G %a", DATA) == "towline-kas towline-kas 700"
    assert installed.out("stat", "--format=%U %a", CONFIG) == "root 644"
    user, _, uid, _, _, home, shell = installed.out("getent", "passwd", "towline-kas").split(":")
    assert int(uid) < 1000 and home == DATA and shell.endswith("nologin")
    status = installed.path(f"/proc/{main_pid(installed)}/status").read_text()
    found = dict(re.findall(r"^(Uid|CapBnd|NoNewPrivs|Seccomp):\s+(\S+)", status, re.M))
    assert found == {"Uid": uid, "CapBnd": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"}
    login(installed)
    installed.run("towline", "project", "create", "demo", "--initialize-with-readme")
    # Clone, push, and fetch what was pushed: git http-backend and the hook run within the sandbox.
    installed.shell(with_git("demo") + """
        git ls-remote "$url" refs/heads/main | grep -q refs/heads/main
        echo new >file
        git add file
        git commit -qm New
        git push -q origin HEAD
        git clone -q "$url" /tmp/second
        cmp file /tmp/second/file""")


def test_the_first_password_is_in_a_file_and_not_in_the_journal(installed):
    for name in ("root-password", "root-token"):
        assert installed.out("stat", "--format=%U %a", f"{DATA}/{name}") == "towline-kas 600"
        secret = installed.path(f"{DATA}/{name}").read_text().strip()
        assert len(secret) >= 32 and secret not in installed.out("journalctl", "--no-pager")
    assert '"msg":"' in log(installed), "what kas logs is in the journal"
    password = installed.path(f"{DATA}/root-password").read_text().strip()
    assert sign_in(installed, password)["user"]["username"] == "root"
    # Deleted, they are not made again, and nothing wants them.
    installed.shell(f"rm {DATA}/root-password {DATA}/root-token")
    restart(installed)
    assert not installed.path(f"{DATA}/root-password").exists()


def test_a_first_password_of_the_operator_by_the_documented_credential(machine):
    write_secret(machine, "/etc/towline/root-password", "correct horse battery")
    add_documented_drop_in(machine, "root-password")
    machine.shell("dpkg --install /tmp/towline-kas_*.deb")
    assert sign_in(machine, "correct horse battery")["user"]["username"] == "root"
    assert not machine.path(f"{DATA}/root-password").exists() and machine.path(f"{DATA}/root-token").exists()


def test_a_server_that_was_killed_comes_back(installed):
    before = main_pid(installed)
    installed.run("kill", "-KILL", before)
    towline.wait_for(lambda: main_pid(installed) not in ("0", before) and ready(installed), "the next server")


def test_a_stop_lets_git_finish_what_it_serves(installed):
    login(installed)
    installed.run("towline", "project", "create", "big", "--initialize-with-readme")
    head = installed.shell(with_git("big") + """
        head -c 32M /dev/urandom >file
        git add file
        git commit -qm Big
        git push -q origin HEAD
        git rev-parse HEAD""")
    fetch = with_git("big") + f"""
        printf '0032want {head}\n00000009done\n' | curl -sf --http1.1 --cacert "$GIT_SSL_CAINFO" --data-binary @- \
          --header 'Content-Type: application/x-git-upload-pack-request' "$url/git-upload-pack" """
    # A client that reads no more than what tells that git has begun, while the service is told to stop.
    client = subprocess.Popen(installed.command("bash", "-ec", fetch), bufsize=0, stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL)
    assert client.stdout.read(8) == b"0008NAK\n"
    installed.run("systemctl", "stop", "--no-block", UNIT)
    towline.wait_for(lambda: "stopping" in log(installed), "the server to stop")
    assert state(installed) == "deactivating"
    pack, _ = client.communicate(timeout=60)
    assert client.returncode == 0 and pack.startswith(b"PACK") and hashlib.sha1(pack[:-20]).digest() == pack[-20:]
    towline.wait_for(lambda: state(installed) == "inactive", "the end")


def test_upgrade_keeps_what_was_configured_and_stored(installed):
    login(installed)
    installed.run("towline", "project", "create", "kept")
    configure(installed, "log-level: debug")
    configured = installed.path(CONFIG).read_text()
    before = main_pid(installed)
    newer_packages(installed)
    installed.shell("dpkg --install /tmp/*.deb.new")
    assert ready(installed) and main_pid(installed) != before, "the new program runs"
    assert version(installed, "towline-kas").endswith("+1")
    assert installed.path(CONFIG).read_text() == configured
    assert "root/kept" in installed.out("towline", "project", "list")


def test_remove_keeps_all_and_purge_keeps_the_data(installed):
    login(installed)
    installed.run("towline", "project", "create", "kept")
    configure(installed, "log-level: debug")
    installed.run("dpkg", "--remove", "towline-kas")
    assert state(installed) == "inactive"
    assert "log-level: debug" in installed.path(CONFIG).read_text() and installed.path(f"{DATA}/towline.db").exists()
    assert "is kept in /var/lib/towline" in installed.out("dpkg", "--purge", "towline-kas")
    assert not installed.path("/etc/towline").exists() and installed.path(f"{DATA}/towline.db").exists()
    installed.shell("dpkg --install /tmp/towline-kas_*.deb")
    assert ready(installed)
    assert "#log-level: info" in installed.path(CONFIG).read_text()
    assert "root/kept" in installed.out("towline", "project", "list")


def test_port_443_by_the_documented_drop_in(installed):
    configure(installed, "listen: 0.0.0.0:443")
    assert refuses_to_start(installed) and "Permission denied" in log(installed), "the drop-in is needed"
    add_documented_drop_in(installed, "CAP_NET_BIND_SERVICE")
    restart(installed)
    assert installed.out("curl", "-sf", "--cacert", f"{DATA}/tls/ca.pem", "-o", "/dev/null", "-w", "%{http_code}",
                         "https://localhost/") == "200"


def test_postgresql_by_the_documented_credential(installed):
    installed.shell("""
        pg_createcluster --port 5499 15 towline --start
        cd /
        runuser -u postgres -- psql -p 5499 -c "CREATE ROLE towline LOGIN PASSWORD 'verysecret'" \\
          -c "CREATE DATABASE towline OWNER towline TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'" """)
    write_secret(installed, "/etc/towline/database-url", "postgresql://towline:verysecret@127.0.0.1:5499/towline")
    configure(installed, "database-url-file: /run/credentials/towline-kas.service/database-url")
    add_documented_drop_in(installed, "database-url")
    old = installed.path(f"{DATA}/root-token").read_text()
    installed.shell(f"systemctl stop towline-kas; rm -r {DATA}/*; systemctl start towline-kas")
    assert ready(installed)
    assert not installed.path(f"{DATA}/towline.db").exists() and installed.path(f"{DATA}/root-token").read_text() != old
    login(installed)
    assert "verysecret" not in installed.out("journalctl", "--no-pager")


def test_wrong_configuration_says_so_and_does_not_start_again_and_again(installed):
    with installed.path(CONFIG).open("a") as file:
        file.write("lisen: 0.0.0.0:1\n")
    assert refuses_to_start(installed) and "lisen" in log(installed)
    assert state(installed) == "failed", "and not about to start again"


def test_the_command_line_and_its_completions(installed):
    assert installed.out("towline", "--version") == "towline " + version(installed, "towline")
    completions = {"bash": "/usr/share/bash-completion/completions/towline",
                   "zsh": "/usr/share/zsh/vendor-completions/_towline",
                   "fish": "/usr/share/fish/vendor_completions.d/towline.fish"}
    for shell, path in completions.items():
        assert installed.path(path).read_text() == installed.run("towline", "completion", shell).stdout
    assert "towline" in installed.shell(f". {completions['bash']}; complete -p towline")
    # zsh and fish find them by themselves.
    assert installed.out("zsh", "-ic", "autoload -U compinit; compinit -D; echo $_comps[towline]").endswith("_towline")
    assert "cluster" in installed.out("fish", "-c", "complete -C 'towline '").replace("\t", " ").split()
    for page in ("kas.8", "towline.1"):
        section, name = page[-1], page[:-2]
        assert "SYNOPSIS" in installed.out("man", section, name)
