"""The protocol as another implementation speaks it: gRPC's own library, with every message compressed by gzip."""

import concurrent.futures
import json
import queue
import subprocess
import threading

import grpc
import pytest

import towline
import wire


@pytest.fixture(scope="module")
def pb():
    return wire.load()


def values(**fields):
    return {name.replace("_", "-"): list(value) if isinstance(value, (list, tuple)) else [value]
            for name, value in fields.items()}


def put(meta, fields):
    for name, each in fields.items():
        meta[name].value.extend(each)


# Another's agent on our server.

class PythonAgent:
    """An agent that answers each request with what answer(head, body) yields."""

    def __init__(self, pb, system, answer, token=None, tunnels=3):
        self.pb, self.answer = pb, answer
        self.metadata = (("authorization", f"Bearer {token or system.agent_token}"),
                         ("user-agent", "gitlab-agent/v17.0.0/abcdef"))
        self.channel = grpc.secure_channel(
            f"localhost:{system.kas.port}", grpc.ssl_channel_credentials(system.kas.ca_file.read_bytes()),
            compression=grpc.Compression.Gzip)
        self.requests, self.errors = [], []
        self.calls = []
        self.closing = False
        self.threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(tunnels)]
        for thread in self.threads:
            thread.start()

    def stub(self, kind, method):
        return getattr(self.channel, kind)(method)  # bytes in, bytes out

    def _serve(self):
        while not self.closing:
            try:
                self.tunnel()
            except grpc.RpcError as error:
                if not self.closing:
                    self.errors.append(error)
                return

    def tunnel(self):
        """Opens one Connect stream and serves one request on it."""
        tunnel = self.pb.reverse_tunnel
        out = queue.SimpleQueue()
        descriptor = tunnel.ConnectRequest()
        service = descriptor.descriptor_.agent_descriptor.services.add(name="gitlab.agent.kubernetes_api.rpc.KubernetesApi")
        service.methods.add(name="MakeRequest")
        out.put(descriptor.SerializeToString())
        call = self.stub("stream_stream", wire.CONNECT)(iter(out.get, None), metadata=self.metadata)
        self.calls.append(call)
        info, request, body = None, None, b""
        for raw in call:
            message = tunnel.ConnectResponse.FromString(raw)
            if message.HasField("request_info"):
                info = message.request_info
                assert info.method_name == wire.MAKE_REQUEST, info
                continue
            if message.HasField("close_send"):
                break
            part = self.pb.grpctool.HttpRequest.FromString(message.message.data)
            if part.HasField("header"):
                request = part.header
            elif part.HasField("data"):
                body += part.data.data
        if info is None:
            return  # nothing to do
        self.requests.append((request, body))
        for reply in self.answer(request, body):
            out.put(reply.SerializeToString())
        out.put(None)
        for _ in call:
            pass

    def reply(self, status, body, **headers):
        """The messages of an ordinary answer."""
        tunnel, tool = self.pb.reverse_tunnel, self.pb.grpctool
        yield tunnel.ConnectRequest(header=tunnel.Header())
        head = tool.HttpResponse()
        head.header.response.status_code = status
        head.header.response.status = "200 OK"
        put(head.header.response.header, values(**headers))
        yield self.wrap(head)
        for at in range(0, len(body), 30_000):
            yield self.wrap(tool.HttpResponse(data=tool.HttpResponse.Data(data=body[at:at + 30_000])))
        yield self.wrap(tool.HttpResponse(trailer=tool.HttpResponse.Trailer()))
        yield tunnel.ConnectRequest(trailer=tunnel.Trailer())

    def wrap(self, message):
        tunnel = self.pb.reverse_tunnel
        return tunnel.ConnectRequest(message=tunnel.Message(data=message.SerializeToString()))

    def close(self):
        self.closing = True
        for call in self.calls:
            call.cancel()
        self.channel.close()


def test_an_agent_of_grpcs_own_library_serves_requests(system, pb):
    body = json.dumps({"items": ["x" * 50] * 3000}).encode()
    agent = PythonAgent(pb, system, lambda head, _: agent.reply(200, body, content_type="application/json",
                                                                x_many=["1", "2"]))
    try:
        towline.wait_for(lambda: system.kas.metrics()["kas_tunnels_idle"] >= 3, "the tunnels")
        for i in range(10):
            status, headers, got = system.request(f"/api/v1/pods?limit={i}&limit=b%26c", "POST", b"b" * 100_000,
                                                  {"X-Custom": "yes", "Content-Type": "text/plain"})
            assert (status, got) == (200, body)
            assert headers["content-type"] == "application/json" and headers.get_all("x-many") == ["1", "2"]
        head, sent = agent.requests[3]
        assert sent == b"b" * 100_000
        assert (head.request.method, head.request.url_path) == ("POST", "/api/v1/pods")
        assert list(head.request.query["limit"].value) == ["3", "b&c"]
        names = {name.lower(): list(each.value) for name, each in head.request.header.items()}
        assert names["x-custom"] == ["yes"] and "authorization" not in names
        assert head.content_length == 100_000
        assert not agent.errors
    finally:
        agent.close()


def test_an_error_of_another_agent_reaches_the_client(system, pb):
    def refuse(head, body):
        tunnel = pb.reverse_tunnel
        error = tunnel.ConnectRequest()
        error.error.status.code = 14
        error.error.status.message = "the moon is in the way"
        yield tunnel.ConnectRequest(trailer=tunnel.Trailer())
        yield error

    agent = PythonAgent(pb, system, refuse)
    try:
        towline.wait_for(lambda: system.kas.metrics()["kas_tunnels_idle"] >= 1, "the tunnels")
        status, _, body = system.request("/x")
        assert status == 502 and "the moon is in the way" in json.loads(body)["message"]
    finally:
        agent.close()


def test_configuration_and_registration_for_another_agent(system, pb):
    agent = PythonAgent(pb, system, None, tunnels=0)
    try:
        request = pb.agent_registrar.RegisterRequest(pod_id=12345)
        request.agent_meta.version = "v17.0.0"
        request.agent_meta.pod_name = "agent-0"
        agent.stub("unary_unary", wire.REGISTER)(request.SerializeToString(), metadata=agent.metadata, timeout=10)
        call = agent.stub("unary_stream", wire.GET_CONFIGURATION)(
            pb.agent_configuration.ConfigurationRequest(agent_meta=request.agent_meta).SerializeToString(),
            metadata=agent.metadata)
        first = pb.agent_configuration.ConfigurationResponse.FromString(next(call))
        assert first.commit_id and first.configuration.project_path == "root/demo"
        assert first.configuration.agent_id == system.agent_id
        system.kas.write_config(towline.System.CONFIG + "observability:\n  logging:\n    level: warn\n")
        second = pb.agent_configuration.ConfigurationResponse.FromString(next(call))
        assert second.commit_id != first.commit_id
        assert second.configuration.observability.logging.level == 2
        call.cancel()
        with pytest.raises(grpc.RpcError) as refused:
            agent.stub("unary_unary", wire.REGISTER)(request.SerializeToString(),
                                                     metadata=(("authorization", "Bearer wrong"),), timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.RpcError) as unknown:
            agent.stub("unary_unary", "/gitlab.agent.nothing.rpc.Nothing/Nothing")(b"", metadata=agent.metadata, timeout=10)
        assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED
    finally:
        agent.close()


# Another's server for our agent.

class PythonServer:
    """A server that takes agentk's calls; requests are made with request()."""

    def __init__(self, pb, folder=None):
        self.pb = pb
        self.metadata, self.registered, self.unregistered = [], [], []
        # Not SimpleQueue: of several readers with a timeout, one that wakes late to an empty queue waits for ever.
        self.configurations = queue.Queue()
        self.wanted = queue.Queue()
        self.descriptors = []
        self.stopping = threading.Event()
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(64), compression=grpc.Compression.Gzip)
        self.server.add_generic_rpc_handlers((self,))
        if folder is None:
            self.port = self.server.add_insecure_port("127.0.0.1:0")
        else:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "30",
                            "-subj", "/CN=kas", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
            self.port = self.server.add_secure_port("localhost:0", grpc.ssl_server_credentials(
                [((folder / "key.pem").read_bytes(), (folder / "cert.pem").read_bytes())]))
        self.server.start()

    def service(self, details):
        handlers = {
            wire.CONNECT: grpc.stream_stream_rpc_method_handler(self.connect),
            wire.GET_CONFIGURATION: grpc.unary_stream_rpc_method_handler(self.configure),
            wire.REGISTER: grpc.unary_unary_rpc_method_handler(self.register),
            wire.UNREGISTER: grpc.unary_unary_rpc_method_handler(self.unregister)}
        if details.method in handlers:
            self.metadata.append((details.method, dict(details.invocation_metadata)))
        return handlers.get(details.method)

    def register(self, raw, _):
        self.registered.append(self.pb.agent_registrar.RegisterRequest.FromString(raw))
        return b""

    def unregister(self, raw, _):
        self.unregistered.append(raw)
        return b""

    def configure(self, _, context):
        while not self.stopping.is_set() and context.is_active():
            try:
                yield self.configurations.get(timeout=0.05).SerializeToString()
            except queue.Empty:
                pass

    def connect(self, messages, context):
        tunnel = self.pb.reverse_tunnel
        descriptor = tunnel.ConnectRequest.FromString(next(messages))
        self.descriptors.append(descriptor.descriptor_)
        while not self.stopping.is_set() and context.is_active():
            try:
                wanted = self.wanted.get(timeout=0.05)
                break
            except queue.Empty:
                pass
        else:
            return
        for each in wanted["messages"]:
            yield each.SerializeToString()
        wanted["answer"].put([tunnel.ConnectRequest.FromString(raw) for raw in messages])

    def request(self, method, path, body=b"", impersonate=None, **headers):
        """One request through a tunnel: (the tunnel's messages, status, headers, body)."""
        tunnel, tool = self.pb.reverse_tunnel, self.pb.grpctool
        head = tool.HttpRequest()
        head.header.request.method, head.header.request.url_path = method, path
        put(head.header.request.header, values(**headers))
        head.header.content_length = len(body)
        if impersonate:
            extra = self.pb.kubernetes_api.HeaderExtra()
            extra.imp_config.username = impersonate
            head.header.extra.type_url = "type.googleapis.com/gitlab.agent.kubernetes_api.rpc.HeaderExtra"
            head.header.extra.value = extra.SerializeToString()
        parts = [head]
        for at in range(0, len(body), 20_000):
            parts.append(tool.HttpRequest(data=tool.HttpRequest.Data(data=body[at:at + 20_000])))
        parts.append(tool.HttpRequest(trailer=tool.HttpRequest.Trailer()))
        info = tunnel.ConnectResponse()
        info.request_info.method_name = wire.MAKE_REQUEST
        put(info.request_info.meta, {"x-request-id": ["abc"]})
        messages = [info, *(tunnel.ConnectResponse(message=tunnel.Message(data=p.SerializeToString())) for p in parts),
                    tunnel.ConnectResponse(close_send=tunnel.CloseSend())]
        answer = queue.Queue()
        self.wanted.put({"messages": messages, "answer": answer})
        got = answer.get(timeout=30)
        kinds = [each.WhichOneof("msg") for each in got]
        parts = [tool.HttpResponse.FromString(each.message.data) for each in got if each.HasField("message")]
        answered = next((part.header.response for part in parts if part.HasField("header")), None)
        self.headers = {name.lower(): list(each.value) for name, each in answered.header.items()} if answered else {}
        return kinds, answered, b"".join(part.data.data for part in parts if part.HasField("data")), got

    def stop(self):
        self.stopping.set()
        self.server.stop(1).wait()


@pytest.fixture(params=["grpc", "grpcs"])
def server(request, pb, tmp_path):
    made = PythonServer(pb, tmp_path if request.param == "grpcs" else None)
    made.scheme = request.param
    yield made
    made.stop()


@pytest.fixture
def agent(server, api, tmp_path):
    made = towline.Agentk(tmp_path, f"{server.scheme}://localhost:{server.port}", "glagent-python", api.kubeconfig(),
                          "--kas-header", "X-Extra: from-a-flag",
                          ca_file=tmp_path / "cert.pem" if server.scheme == "grpcs" else None,
                          environment={"POD_NAME": "pod-7", "POD_NAMESPACE": "agents"})
    yield made
    # The server first, so that what the agent leaves open there does not count here.
    server.stop()
    made.stop()


def test_our_agent_serves_a_server_of_grpcs_own_library(server, agent):
    agent.wait_ready()
    kinds, head, body, _ = server.request("POST", "/echo/deep", b"q" * 70_000, x_custom="yes")
    assert kinds[0] == "header" and kinds[-1] == "trailer" and set(kinds[1:-1]) == {"message"}
    assert head.status_code == 200 and server.headers["content-type"] == ["application/json"]
    seen = json.loads(body)
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/echo/deep", 70_000)
    headers = dict(seen["headers"])
    assert headers["x-custom"] == "yes" and headers["authorization"] == "Bearer the-agents-own-token"
    kinds, head, body, _ = server.request("GET", "/echo", impersonate="gitlab:user:jane")
    assert ["impersonate-user", "gitlab:user:jane"] in json.loads(body)["headers"]


def test_our_agent_introduces_itself(server, agent, pb):
    agent.wait_ready()
    towline.wait_for(lambda: server.registered and len(server.descriptors) >= 2, "the calls")
    assert server.registered[0].agent_meta.pod_name == "pod-7"
    assert server.registered[0].agent_meta.pod_namespace == "agents"
    services = server.descriptors[0].agent_descriptor.services
    assert {f"/{each.name}/{method.name}" for each in services for method in each.methods} >= {wire.MAKE_REQUEST}
    for _, metadata in server.metadata:
        assert metadata["authorization"] == "Bearer glagent-python"
        assert metadata["user-agent"].startswith("gitlab-agent/")
        assert metadata["x-extra"] == "from-a-flag"
    configuration = pb.agent_configuration.ConfigurationResponse(commit_id="f00")
    configuration.configuration.agent_id = 7
    server.configurations.put(configuration)
    towline.wait_for(lambda: [line for line in agent.process.log_lines("configuration applied")
                              if line["commit_id"] == "f00"], "the configuration", 5)


def test_our_agent_leaves_no_idle_stream_at_a_server_that_ends_none_by_itself(server, agent):
    """The original server notices that an idle Connect stream is given up only by its cancellation."""
    agent.wait_ready()
    agent.process.terminate()
    assert agent.process.process.wait(10) == 0
    assert server.unregistered


def test_a_failure_at_the_cluster_is_told_by_status(server, api, tmp_path):
    agent = towline.Agentk(tmp_path, f"{server.scheme}://localhost:{server.port}", "t", api.kubeconfig(),
                           "--server", f"https://127.0.0.1:{towline.free_port()}",
                           ca_file=tmp_path / "cert.pem" if server.scheme == "grpcs" else None)
    try:
        agent.wait_ready()
        kinds, head, _, got = server.request("GET", "/echo")
        assert kinds[-1] == "error" and head is None
        assert got[-1].error.status.code == 14 and "agentk" in got[-1].error.status.message
    finally:
        server.stop()
        agent.stop()
