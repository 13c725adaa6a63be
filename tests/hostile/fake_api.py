"""API servers that do what they like: HTTP/2 and HTTP/1.1 over TLS, told by the path what to do to a request, and counting
what reaches them."""

import collections
import contextlib
import json
import pathlib
import socket
import ssl
import subprocess
import threading

import h2.config
import h2.connection
import h2.events


class FakeApi:
    """Serves each connection in a thread of its own."""

    alpn = None

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.asked = collections.Counter()  # by method and path
        self.lock = threading.Lock()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem", "-days", "30", "-subj",
                        "/CN=api", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        self.tls.set_alpn_protocols([self.alpn])
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def kubeconfig(self):
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                   "certificate-authority": str(self.folder / "cert.pem")}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return path

    def count(self, method, path):
        with self.lock:
            return self.asked[method, path]

    def stop(self):
        self.listener.close()

    def note(self, method, path):
        with self.lock:
            self.asked[method, path] += 1

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                raw = self.listener.accept()[0]
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        with contextlib.suppress(OSError, ValueError):
            with self.tls.wrap_socket(raw, server_side=True) as sock:
                self.serve(sock)


class Http2Api(FakeApi):
    """Paths: /ok, /reset/CODE, /refuse-first (other connections answer), /goaway-below, /head/BYTES, /break/BYTES, /status/N,
    /informational/N."""

    alpn = "h2"

    def serve(self, sock):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False))
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = dict(event.headers)
                    method, path = (headers[name].decode() for name in (b":method", b":path"))
                    self.note(method, path)
                    if not self.answer(sock, connection, event.stream_id, path):
                        return
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            sock.sendall(connection.data_to_send())

    def answer(self, sock, connection, stream, path):
        """False: the connection is over."""
        what, _, argument = path.strip("/").partition("/")
        if what == "reset":
            connection.reset_stream(stream, int(argument))
        elif what == "refuse-first" and self.count("POST", path) == 1:
            connection.reset_stream(stream, 7)
        elif what == "goaway-below" and self.count("POST", path) == 1:
            connection.close_connection(last_stream_id=stream - 2)
            sock.sendall(connection.data_to_send())
            return False
        elif what == "head":
            connection.send_headers(stream, [(":status", "200"), *fields(int(argument))], end_stream=True)
        elif what == "break":
            connection.send_headers(stream, [(":status", "200")])
            connection.send_data(stream, b"x" * int(argument))
            sock.sendall(connection.data_to_send())
            return False
        elif what == "status":
            connection.send_headers(stream, [(":status", argument)], end_stream=True)
        elif what == "informational":
            for _ in range(int(argument)):
                connection.send_headers(stream, [(":status", "103"), ("link", "<x>")])
                sock.sendall(connection.data_to_send())
            connection.send_headers(stream, [(":status", "200")], end_stream=True)
        else:
            connection.send_headers(stream, [(":status", "200"), ("content-length", "2")])
            connection.send_data(stream, b"ok", end_stream=True)
        return True


def fields(size):
    """Header fields of `size` bytes in all."""
    whole, rest = divmod(size, 1024)
    return [(f"x-{i:06}", "v" * (1024 - 8)) for i in range(whole)] + ([("x", "v" * (rest - 1))] if rest > 1 else [])


class Http1Api(FakeApi):
    """Paths: /ok, /kept-then-closed (answers a connection's first request only), /raw/NAME (bytes from `raw`, then the end of
    the connection)."""

    alpn = "http/1.1"

    def __init__(self, folder):
        super().__init__(folder)
        self.raw = {}
        self.heads = []

    def serve(self, sock):
        served, data = 0, b""
        while True:
            while b"\r\n\r\n" not in data:
                piece = sock.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, data = data.partition(b"\r\n\r\n")
            method, path = head.split(b" ", 2)[:2]
            path = path.decode("latin-1")
            self.note(method.decode(), path.partition("?")[0])
            with self.lock:
                self.heads.append(head)
            if path.startswith("/raw/"):
                return sock.sendall(self.raw[path.removeprefix("/raw/")])
            if path == "/kept-then-closed" and served > 0:
                return None
            served += 1
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[:None if method != b"HEAD" else -2])
