"""What requests travel through: the upstream directly, two nginx, or kas and agentk."""

import json
import pathlib
import subprocess

from lib.system import BIN, Kas, Process, free_port, http_ok, say, wait_for

SMALL_BODY = 1024
LARGE_BODY = 1 << 30

NGINX = """
{user} worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_rlimit_nofile 16384;
events {{ worker_connections 4096; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; client_max_body_size 0;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  ssl_certificate {certificate}; ssl_certificate_key {key};
  {http}
}}
"""

# Connections kept alive, the certificate verified, and nothing spilled to disk: as favourable as agentk's own ways.
PROXY = """
  upstream next {{ server 127.0.0.1:{next_port}; keepalive 512; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    location / {{
      proxy_pass https://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_ssl_trusted_certificate {certificate}; proxy_ssl_verify on; proxy_ssl_name localhost;
      proxy_ssl_server_name on; proxy_buffer_size 16k; proxy_buffers 8 32k; proxy_max_temp_file_size 0;
    }}
  }}
"""

UPSTREAM = """
  server {{
    listen 127.0.0.1:{port} ssl{h2}; http2_chunk_size 16k;
    location = /large {{ alias {large}; }}
    location / {{ default_type application/json; return 200 "{small}"; }}
  }}
"""


class Certificates:
    """One self-signed certificate for all nginx: P-256, as kas makes its own."""

    def __init__(self, folder):
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.key, "-out", self.certificate, "-days", "3", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)


def start_nginx(stack, folder, name, certificates, http):
    folder = folder / name
    folder.mkdir()
    root = subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout.strip() == "0"
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(user="user root;" if root else "", folder=folder, http=http,
                                          certificate=certificates.certificate, key=certificates.key))
    process = Process(stack, name, ["nginx", "-p", folder, "-c", configuration, "-e", folder / "error.log"], folder,
                      count_children=True)
    wait_for(lambda: process.check() or process.pids(), f"{name} to start")
    return process


class Chain:
    """A way to the upstream. `measured`: the processes whose cost counts."""

    def __init__(self, name, title, port, prefix, ca_file, bearer, measured):
        self.name, self.title, self.port, self.prefix = name, title, port, prefix
        self.ca_file, self.bearer, self.measured = ca_file, bearer, measured

    def url(self, path):
        return f"https://localhost:{self.port}{self.prefix}{path}"

    def cpu(self):
        return sum(process.cpu() for process in self.measured)


def start_upstream(stack, folder, certificates, large, http_version):
    port = free_port()
    start_nginx(stack, folder, "upstream", certificates, UPSTREAM.format(
        port=port, large=large, small="x" * SMALL_BODY, h2=" http2" if http_version == 2 else ""))
    return port


def direct_chain(upstream_port, certificates):
    return Chain("direct", "(a) client - upstream", upstream_port, "", certificates.certificate, None, [])


def nginx_chain(stack, folder, upstream_port, certificates):
    processes, port = [], upstream_port
    for name in ("nginx-near", "nginx-edge"):
        next_port, port = port, free_port()
        processes.insert(0, start_nginx(stack, folder, name, certificates, PROXY.format(
            port=port, next_port=next_port, certificate=certificates.certificate)))
    return Chain("nginx", "(b) client - nginx - nginx - upstream", port, "", certificates.certificate, None, processes)


def towline_chain(stack, folder, scheme, upstream_port, certificates, kas_flags):
    """A server of its own for each transport, so that the memory of one is not the other's."""
    kas = Kas(stack, folder / f"kas-{scheme}", *kas_flags)
    kas.grant(scheme)
    number, token = kas.register(scheme)
    kubeconfig = kas.write("kubeconfig", json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"https://localhost:{upstream_port}",
                                               "certificate-authority": str(certificates.certificate)}}],
        "users": [{"name": "u", "user": {"token": "upstream"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
    metrics_port = free_port()
    agentk = Process(stack, "agentk", [
        BIN / "agentk", "--kas-address", kas.address(scheme), "--kas-ca-cert-file", kas.ca_file,
        "--token-file", kas.write("agent-token", token), "--kubeconfig", kubeconfig,
        "--observability-listen-address", f"127.0.0.1:{metrics_port}"], kas.folder)
    wait_for(lambda: agentk.check() or http_ok(f"http://127.0.0.1:{metrics_port}/readiness"), "agentk to be ready")
    return Chain(scheme, f"(c) client - kas - agentk - upstream, {scheme}", kas.port, "/-/kubernetes-agent/k8s-proxy",
                 kas.ca_file, f"pat:{number}:{kas.user_token()}", [kas.process, agentk])


def start_chains(stack, folder, names, large, kas_flags, http_version):
    """The chains of these names, ready for requests."""
    folder = pathlib.Path(folder)
    certificates = Certificates(folder)
    upstream = start_upstream(stack, folder, certificates, large, http_version)
    make = {"direct": lambda: direct_chain(upstream, certificates),
            "nginx": lambda: nginx_chain(stack, folder, upstream, certificates),
            "wss": lambda: towline_chain(stack, folder, "wss", upstream, certificates, kas_flags),
            "grpcs": lambda: towline_chain(stack, folder, "grpcs", upstream, certificates, kas_flags)}
    chains = []
    for name in names:
        say(f"starting {name}")
        chains.append(make[name]())
    return chains
