"""What is asked of a chain, and the figures that come back. All latencies are in seconds."""

import dataclasses
import os
import pathlib
import socket
import ssl
import subprocess
import time

from lib.chains import LARGE_BODY, SMALL_BODY
from lib.system import die


@dataclasses.dataclass
class Sample:
    rate: float  # requests or bytes a second
    p50: float | None
    p99: float | None
    cpu: float  # seconds of processor time of the chain's processes
    units: float  # requests or MiB that this time went into
    peaks: list[int] = dataclasses.field(default_factory=list)  # bytes, one for each process


# The results in full precision; what wrk prints itself is rounded. The token stands in this file and on no command line.
WRK_SCRIPT = """
{header}
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
                         latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def private_file(path, text):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return path


def measured(chain, run, units=None):
    """Runs `run` and adds what it cost the chain."""
    for process in chain.measured:
        process.check()
        process.reset_peak()
    before = chain.cpu()
    sample = run()
    sample.cpu = chain.cpu() - before
    sample.units = units or sample.units
    sample.peaks = [process.peak() for process in chain.measured]
    return sample


class SmallGets:
    """GETs with an answer of 1 KiB over connections that are kept."""

    def __init__(self, connections, seconds):
        self.name, self.seconds, self.connections = f"get{connections}", seconds, connections
        self.title = f"GET 1 KiB, {connections} connection" + ("s" if connections > 1 else "")
        self.unit, self.cost_unit = "requests/s", "request"

    def run(self, chain, folder):
        header = f'wrk.headers["Authorization"] = "Bearer {chain.bearer}"' if chain.bearer else ""
        script = private_file(pathlib.Path(folder) / f"{chain.name}.lua", WRK_SCRIPT.format(header=header))
        self.wrk(chain, script, 1)  # opens the connections behind the chain
        return measured(chain, lambda: self.wrk(chain, script, self.seconds))

    def wrk(self, chain, script, seconds):
        done = subprocess.run(["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "-s", script, chain.url("/small")],
                              capture_output=True, text=True)
        lines = [line.split() for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if not lines:
            die(f"wrk failed on {chain.name}: {done.stdout}{done.stderr}")
        requests, micros, p50, p99, errors = (int(v) for v in lines[0][1:])
        if errors or not requests:
            die(f"{errors} errors in {requests} requests on {chain.name}")
        return Sample(requests / (micros / 1e6), p50 / 1e6, p99 / 1e6, 0, requests)


class Download:
    """One body of 1 GiB."""

    def __init__(self):
        self.name, self.title, self.unit, self.cost_unit = "download", "GET 1 GiB", "MB/s", "MiB"

    def run(self, chain, folder):
        arguments = ["curl", "-sS", "--max-time", "900", "--ipv4", "--http1.1", "--fail", "--cacert", chain.ca_file, "-o", "/dev/null",
                     "-w", "%{size_download} %{time_total}", chain.url("/large")]
        if chain.bearer:
            header = private_file(pathlib.Path(folder) / f"{chain.name}.header", f"Authorization: Bearer {chain.bearer}\n")
            arguments[1:1] = ["-H", f"@{header}"]

        def run():
            done = subprocess.run(arguments, capture_output=True, text=True)
            if done.returncode != 0:
                die(f"curl failed on {chain.name}: {done.stderr}")
            size, seconds = done.stdout.split()
            if int(size) != LARGE_BODY:
                die(f"{size} bytes instead of {LARGE_BODY} on {chain.name}")
            return Sample(int(size) / float(seconds), None, None, 0, LARGE_BODY / 2**20)

        return measured(chain, run)


class Connects:
    """New TLS connections (full handshakes), each to the first byte of an answer, one after the other."""

    def __init__(self, count):
        self.name, self.title = "connect", f"connect to first byte, {count} times"
        self.unit, self.cost_unit, self.count = "connections/s", "connection", count

    def run(self, chain, folder):
        context = ssl.create_default_context(cafile=str(chain.ca_file))
        bearer = f"Authorization: Bearer {chain.bearer}\r\n" if chain.bearer else ""
        request = (f"GET {chain.prefix}/small HTTP/1.1\r\nHost: localhost:{chain.port}\r\n{bearer}"
                   "Connection: close\r\n\r\n").encode()
        self.once(chain, context, request)
        return measured(chain, lambda: self.all(chain, context, request))

    def all(self, chain, context, request):
        times = sorted(self.once(chain, context, request) for _ in range(self.count))
        return Sample(self.count / sum(times), times[len(times) // 2], times[int(len(times) * 0.99)], 0, self.count)

    @staticmethod
    def once(chain, context, request):
        started = time.perf_counter()
        with socket.create_connection(("127.0.0.1", chain.port)) as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(raw, server_hostname="localhost") as stream:
                stream.sendall(request)
                first = stream.recv(1)
                taken = time.perf_counter() - started
                rest = first + b"".join(iter(lambda: stream.recv(65536), b""))
        if not rest.startswith(b"HTTP/1.1 200 ") or len(rest) < SMALL_BODY:
            die(f"{chain.name} answered: {rest[:300]!r}")
        return taken
