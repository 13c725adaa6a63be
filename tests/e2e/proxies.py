"""Real HTTP proxies, squid and tinyproxy, each with a folder and a log of its own."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import towline


class Proxy:
    """Runs a proxy in the foreground at an address of this machine and reads its log; users are named `agent`."""

    def __init__(self, password=None, host="127.0.0.1", hosts=None):
        # squid drops root's rights, and pytest's folders are root's alone.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="towline-proxy-"))
        os.chmod(self.folder, 0o777)
        self.host, self.port = host, towline.free_port()
        self.seen = self.folder / "access.log"
        self.hosts = hosts  # lines of a hosts file of its own
        self.process = subprocess.Popen(self.command(password), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        towline.wait_for(self.listens, f"{self.process.args[0]} to listen")

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def listens(self):
        try:
            socket.create_connection((self.host, self.port), 1).close()
            return True
        except OSError:
            return False

    def requests(self):
        return self.seen.read_text() if self.seen.exists() else ""

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder)


class Squid(Proxy):
    def command(self, password):
        lines = [f"http_port {self.host}:{self.port}", f"pid_filename {self.folder}/squid.pid", "cache deny all",
                 f"access_log stdio:{self.seen}", f"cache_log {self.folder}/cache.log",
                 f"coredump_dir {self.folder}", "shutdown_lifetime 1 seconds"]
        if self.hosts:
            (self.folder / "hosts").write_text(self.hosts)
            lines.append(f"hosts_file {self.folder}/hosts")
        if password:
            users = self.folder / "users"
            subprocess.run(["htpasswd", "-bc", users, "agent", password], check=True, capture_output=True)
            lines += [f"auth_param basic program /usr/lib/squid/basic_ncsa_auth {users}",
                      "acl known proxy_auth REQUIRED", "http_access allow known", "http_access deny all"]
        else:
            lines += ["http_access allow all"]
        settings = self.folder / "squid.conf"
        settings.write_text("\n".join(lines) + "\n")
        return ["squid", "-N", "-f", settings]


class Tinyproxy(Proxy):
    def command(self, password):
        lines = [f"Port {self.port}", f"Listen {self.host}", f'LogFile "{self.seen}"', "LogLevel Connect",
                 "Timeout 600", "MaxClients 100"]
        if password:
            lines.append(f"BasicAuth agent {password}")
        settings = self.folder / "tinyproxy.conf"
        settings.write_text("\n".join(lines) + "\n")
        return ["tinyproxy", "-d", "-c", settings]


KINDS = {"squid": Squid, "tinyproxy": Tinyproxy}
