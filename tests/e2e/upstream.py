"""A server with TLS in the place of the cluster's API, whose behaviour a test decides by the path."""

import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import time

import towline

BLOCK = b"x" * 65536


class Counters:
    def __init__(self):
        self.lock = threading.Lock()
        self.sent = 0       # bytes of /endless that the network has taken
        self.received = 0   # bytes of bodies that were read
        self.running = 0    # requests
        self.lost = 0       # requests whose client went away


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024  # a hundred connections at once must not wait for the system to try again


class Api:
    """Paths:
      /echo            the request as JSON (method, path, headers, length of the body)
      /chunks?n&each   n chunks, one every `each` seconds
      /endless         bytes until the client goes away
      /hang            no answer until release() or the client goes away
      /hoard           reads no body until release()
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder) / f"api-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        self.folder = folder
        self.counters = Counters()
        self.released = threading.Event()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "30", "-subj", "/CN=api",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        self.server = Server(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.port = self.server.server_port
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        # The handshake in the request's own thread, so that nobody holds up the others.
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, token="the-agents-own-token"):
        path = self.folder / "api.kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                   "certificate-authority": str(self.folder / "cert.pem")}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]}))
        return path

    def release(self):
        self.released.set()

    def stop(self):
        self.release()
        self.server.shutdown()
        self.server.server_close()

    def wait_idle(self, seconds=10):
        towline.wait_for(lambda: self.counters.running == 0, "all requests to end at the upstream", seconds)

    def _handler(api):
        counters = api.counters

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (OSError, ssl.SSLError):
                    self.close_connection = True

            def answer(self):
                with counters.lock:
                    counters.running += 1
                try:
                    path, _, query = self.path.partition("?")
                    values = dict(pair.split("=") for pair in query.split("&") if "=" in pair)
                    getattr(self, path.strip("/").replace("/", "_"), self.echo)(**values)
                except (OSError, ssl.SSLError):
                    with counters.lock:
                        counters.lost += 1
                    self.close_connection = True
                finally:
                    with counters.lock:
                        counters.running -= 1

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

            def pieces(self):
                """The body as it comes."""
                if self.headers.get("Transfer-Encoding") == "chunked":
                    while size := int(self.rfile.readline() or b"-1", 16):
                        if size < 0:
                            raise ConnectionError
                        yield self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                    return
                left = int(self.headers.get("Content-Length", 0))
                while left:
                    data = self.rfile.read1(min(left, 65536))
                    if not data:
                        raise ConnectionError
                    left -= len(data)
                    yield data

            def take_body(self):
                size = 0
                for piece in self.pieces():
                    size += len(piece)
                    with counters.lock:
                        counters.received += len(piece)
                return size

            def begin(self, content_type="text/plain"):
                self.send_response(200)
                self.send_header("Content-Type", content_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()

            def chunk(self, data):
                self.wfile.write(b"%x\r\n" % len(data) + data + b"\r\n")

            def echo(self, **_):
                size = self.take_body()
                body = json.dumps({"method": self.command, "path": self.path, "body": size,
                                   "headers": [[name.lower(), value] for name, value in self.headers.items()]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def chunks(self, n="10", each="0.1"):
                self.begin()
                for i in range(int(n)):
                    self.chunk(b"chunk %d\n" % i)
                    time.sleep(float(each))  # the upstream's own pace, which is the subject
                self.chunk(b"")

            def endless(self):
                self.begin("application/octet-stream")
                while True:
                    self.chunk(BLOCK)
                    with counters.lock:
                        counters.sent += len(BLOCK)

            def hang(self):
                # Ends when the client goes away: the connection is readable then.
                import select
                while not api.released.is_set():
                    if select.select([self.connection], [], [], 0.02)[0]:
                        raise ConnectionError
                self.echo()

            def hoard(self):
                api.released.wait(60)
                self.echo()

        return Handler
