"""Packages, the build, processes and what they consume; a real kas with its agents."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "tests/e2e"))

from ports import free_port  # noqa: E402

BIN = pathlib.Path(os.environ.get("TOWLINE_BIN", REPOSITORY / "build/release/bin"))
PROJECT = "root/bench"
STARTED = time.monotonic()


def say(text):
    """A line of progress; results alone go to standard output."""
    print(f"[{time.monotonic() - STARTED:5.0f}s] {text}", file=sys.stderr, flush=True)


def die(text):
    raise SystemExit(f"error: {text}")


def ensure_packages(commands):
    """Installs what is missing, through the project's own scripts. `commands`: program name to Debian package."""
    missing = sorted({package for command, package in commands.items() if not shutil.which(command)})
    if missing:
        shell(f"ensure_packages {' '.join(missing)}")


def build(*targets):
    """Builds programs of the release preset; brings what the build needs. TOWLINE_BIN names ready ones instead."""
    if "TOWLINE_BIN" not in os.environ:
        shell(f"ensure_packages $(packages_for build bench) && build release {' '.join(targets)}")
    for target in targets:
        if not (BIN / target).exists():
            die(f"{BIN / target} does not exist")


def shell(command):
    """Runs a function of scripts/lib/common.sh in the repository."""
    script = f"set -euo pipefail; source scripts/lib/common.sh; {command}"
    if subprocess.run(["bash", "-c", script], cwd=REPOSITORY, stdin=subprocess.DEVNULL).returncode != 0:
        die(f"this failed: {command}")


def wait_for(condition, what, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            die(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


class Process:
    """A program that is ended with the `stack`, its processor time and its memory."""

    def __init__(self, stack, name, arguments, folder, count_children=False, stdin=subprocess.DEVNULL, stdout=None):
        self.name = name
        self.count_children = count_children
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([str(a) for a in arguments], stdin=stdin, stdout=stdout or log, stderr=log,
                                            start_new_session=True)
        stack.callback(self.stop)

    def stop(self):
        for send in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(send)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(5)

    def check(self):
        if self.process.poll() is not None:
            die(f"{self.name} has ended:\n{self.log_path.read_text(errors='replace')[-2000:]}")

    def pids(self):
        """The process, or, where it is a master that only watches over workers, those."""
        pid = self.process.pid
        if not self.count_children:
            return [pid]
        return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def cpu(self):
        """Seconds on a processor so far, all threads (the kernel counts in nanoseconds)."""
        total = 0
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def memory(self, field="Rss"):
        """Bytes, exactly: /proc/<pid>/status lags behind by up to a batch for each processor."""
        return 1024 * sum(int(re.search(rf"^{field}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(),
                                        re.M).group(1)) for pid in self.pids())

    def peak(self):
        """Highest resident memory since reset_peak(), in bytes."""
        return 1024 * sum(int(re.search(r"^VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(),
                                        re.M).group(1)) for pid in self.pids())

    def reset_peak(self):
        for pid in self.pids():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


class Kas:
    """A server with a fresh data folder, and project root/bench."""

    def __init__(self, stack, folder, *flags):
        self.stack, self.folder = stack, pathlib.Path(folder)
        self.folder.mkdir()
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"https://localhost:{self.port}"
        self.ca_file = self.folder / "data/tls/ca.pem"
        self.root_token = "glpat-" + secrets.token_hex(20)
        self.write("root-token", self.root_token)
        self.write("root-password", secrets.token_hex(16))
        self.process = Process(stack, "kas", [
            BIN / "kas", "--data-dir", self.folder / "data", "--listen", f"127.0.0.1:{self.port}",
            "--external-url", self.url, "--observability-listen", f"127.0.0.1:{self.metrics_port}",
            "--root-token-file", self.folder / "root-token", "--root-password-file", self.folder / "root-password",
            *flags], self.folder)
        wait_for(self.ready, "kas to be ready")
        self.api("POST", "/projects", {"name": PROJECT.split("/")[1]})

    def write(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def ready(self):
        self.process.check()
        return http_ok(f"http://127.0.0.1:{self.metrics_port}/readiness")

    def api(self, method, path, body):
        request = urllib.request.Request(self.url + "/api/v4" + path, json.dumps(body).encode(), method=method, headers={
            "PRIVATE-TOKEN": self.root_token, "Content-Type": "application/json"})
        context = ssl.create_default_context(cafile=str(self.ca_file))
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            die(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}")

    def grant(self, agent):
        """Commits a configuration file that lets the project's members use the agent."""
        path = quote(f".gitlab/agents/{agent}/config.yaml")
        content = f"user_access:\n  access_as:\n    agent: {{}}\n  projects:\n    - id: {PROJECT}\n"
        self.api("POST", f"/projects/{quote(PROJECT)}/repository/files/{path}",
                 {"branch": "main", "content": content, "commit_message": "Grant access"})

    def register(self, agent):
        """Number and token of a new agent."""
        base = f"/projects/{quote(PROJECT)}/cluster_agents"
        number = self.api("POST", base, {"name": agent})["id"]
        return number, self.api("POST", f"{base}/{number}/tokens", {"name": "bench"})["token"]

    def user_token(self):
        expires = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 2 * 86400))
        return self.api("POST", "/user/personal_access_tokens",
                        {"name": "bench", "scopes": ["k8s_proxy"], "expires_at": expires})["token"]

    def address(self, scheme):
        return f"{scheme}://localhost:{self.port}" + ("/-/kubernetes-agent/" if scheme.startswith("ws") else "")

    def metrics(self):
        """Name, labels as written, to value."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[:1] not in ("#", ""))}


def connect_agents(stack, kas, count, tokens, *flags):
    """Starts the simulator with agents that share `tokens`; returns it and what it says when all are connected."""
    token_file = kas.write("agent-tokens", "\n".join(tokens) + "\n")
    simulator = Process(stack, "simulated_agents", [
        BIN / "simulated_agents", "--agents", count, "--port", kas.port, "--token-file", token_file,
        "--ca-file", kas.ca_file, *flags], kas.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    line = simulator.process.stdout.readline()
    if not line:
        simulator.process.wait()
        simulator.check()
    return simulator, json.loads(line)


def http_ok(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def quote(text):
    return urllib.parse.quote(text, safe="")


def machine():
    """One line on what was measured on."""
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) / 2**20
    system = re.search(r'^PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text(), re.M).group(1)
    return (f"{os.cpu_count()} x {cpu.group(1) if cpu else 'unknown CPU'}, {memory:.0f} GiB, {system}, "
            f"Linux {os.uname().release.split('-')[0]}")


def others_busy(seconds=2.0):
    """Share of the processors that other programs use now, before anything of ours runs."""
    def read():
        values = [int(v) for v in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(values), values[3] + values[4]
    total, idle = read()
    time.sleep(seconds)
    total2, idle2 = read()
    return 1 - (idle2 - idle) / max(total2 - total, 1)
