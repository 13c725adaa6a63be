"""Debian's python3-kubernetes, which speaks HTTP/1.1 keep-alive and WebSocket, through the tunnel."""

import gc
import threading

import kubernetes
import kubernetes.stream
import pytest


@pytest.fixture(scope="module")
def core(shared):
    configuration = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(shared.kubeconfig("python.kubeconfig")), client_configuration=configuration)
    yield kubernetes.client.CoreV1Api(kubernetes.client.ApiClient(configuration))
    gc.collect()  # the library leaves its WebSockets open


def exec_in(core, namespace, pod, command, **options):
    return kubernetes.stream.stream(core.connect_get_namespaced_pod_exec, pod, namespace, command=command,
                                    stdout=True, stderr=True, tty=False, **options)


def test_a_watch_sees_what_happens(core, namespace):
    events, seen_first = [], threading.Event()
    watch = kubernetes.watch.Watch()

    def follow():
        for event in watch.stream(core.list_namespaced_config_map, namespace, label_selector="test=python",
                                  timeout_seconds=60):
            events.append((event["type"], event["object"].data))
            seen_first.set()
            if event["type"] == "DELETED":
                return

    core.create_namespaced_config_map(namespace, {"metadata": {"name": "python", "labels": {"test": "python"}},
                                                  "data": {"n": "1"}})
    follower = threading.Thread(target=follow)
    follower.start()
    assert seen_first.wait(30)
    core.patch_namespaced_config_map("python", namespace, {"data": {"n": "2"}})
    core.delete_namespaced_config_map("python", namespace)
    follower.join(30)
    assert not follower.is_alive()
    assert events == [("ADDED", {"n": "1"}), ("MODIFIED", {"n": "2"}), ("DELETED", {"n": "2"})]


def test_exec_over_websocket(core, namespace, pod):
    assert exec_in(core, namespace, pod, ["echo", "hello"], stdin=False) == "hello\n"


def test_exec_over_websocket_with_input_and_exit_code(core, namespace, pod):
    stream = exec_in(core, namespace, pod, ["sh", "-c", "read a; echo got $a; read b; echo got $b; exit 5"], stdin=True,
                     _preload_content=False)
    stream.write_stdin("one\n")
    assert stream.readline_stdout(timeout=30) == "got one"
    stream.write_stdin("two\n")
    assert stream.readline_stdout(timeout=30) == "got two"
    stream.run_forever(timeout=30)
    assert stream.returncode == 5
    stream.close()


def test_logs_are_read(core, namespace, pod):
    assert core.read_namespaced_pod_log(pod, namespace, limit_bytes=7) == "line 1\n"
