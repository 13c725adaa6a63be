"""A private PostgreSQL for tests: started in a temporary folder, stopped and restarted as a test likes."""

import contextlib
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from ports import free_port

USER = "postgres"  # PostgreSQL refuses to run as root; Debian's package makes this user


def programs():
    """The folder of initdb and postgres of the newest version that is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    assert found, "PostgreSQL is not installed (Debian package postgresql)"
    return found[-1].parent


def psql(url, statement):
    """Runs a statement; returns what psql prints."""
    result = subprocess.run(["psql", "-XAt", "-d", url, "-v", "ON_ERROR_STOP=1", "-c", statement],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def fresh_database(url):
    """Makes an empty database where `url` leads; returns its URL."""
    name = "towline_" + secrets.token_hex(4)
    psql(url, f"CREATE DATABASE {name}")
    return urllib.parse.urlsplit(url)._replace(path="/" + name).geturl()


class Postgres:
    """Serves on a free port of the loopback interface and in a Unix socket, with fsync on; with `address` there too,
    for clients of `network`."""

    PASSWORD = "a:pass/word@with %marks"
    QUOTED = "a%3Apass%2Fword%40with%20%25marks"

    def __init__(self, address=None, network=None):
        self.addresses = ",".join(["127.0.0.1"] + ([address] if address else []))
        self.network = network
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="towline-postgres-"))
        self.data = self.folder / "data"
        self.log_path = self.folder / "log"
        self.port = free_port()
        self.process = None
        try:
            self._make()
            self.start()
            self.sql(f"ALTER ROLE {USER} PASSWORD '{self.PASSWORD}'")
        except BaseException:
            self.remove()
            raise

    def _as_user(self):
        """What makes a child process run as a user who may."""
        if os.geteuid() != 0:
            return {}
        entry = pwd.getpwnam(USER)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def _make(self):
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)
        subprocess.run([programs() / "initdb", "-D", self.data, "-U", USER, "--auth-local=trust",
                        "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"],
                       check=True, capture_output=True, cwd="/", **self._as_user())
        if self.network:
            with open(self.data / "pg_hba.conf", "a") as rules:
                rules.write(f"host all all {self.network} scram-sha-256\n")

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [programs() / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder,
                 "-c", f"listen_addresses={self.addresses}", "-c", "shared_buffers=32MB", "-c", "max_connections=120",
                 "-c", "fsync=off"],  # its processes may die here, but not the machine below them
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", **self._as_user())
        end = time.monotonic() + 60
        while self._ask("SELECT 1").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < end, self.log_path.read_text()
            time.sleep(0.05)

    def _ask(self, statement, database="postgres"):
        return subprocess.run(["psql", "-XAtq", "-h", self.folder, "-p", str(self.port), "-U", USER, "-d", database,
                               "-v", "ON_ERROR_STOP=1", "-c", statement], capture_output=True, text=True)

    def sql(self, statement, database="postgres"):
        """Runs a statement; returns what psql prints."""
        result = self._ask(statement, database)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def create_database(self, name):
        """A role that owns a database of the same name, and nothing else; returns its URL."""
        self.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{self.PASSWORD}' NOSUPERUSER NOCREATEDB NOCREATEROLE")
        self.sql(f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' "
                 "LC_CTYPE 'C.UTF-8'")
        self.sql(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        return self.url(name, name)

    def url(self, database="postgres", user=USER):
        return f"postgresql://{user}:{self.QUOTED}@127.0.0.1:{self.port}/{database}?sslmode=prefer"

    def stop(self, how=signal.SIGINT):
        """SIGINT ends connections at once (a fast shutdown), SIGQUIT as in a crash."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def remove(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
