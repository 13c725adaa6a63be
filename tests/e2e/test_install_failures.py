"""An agent in a pod that cannot connect says why: in its log, and in what the pod shows of its end."""

import json

import pytest

import towline
from release import CHART, HOST


@pytest.fixture
def slash_server(reachable, tmp_path):
    """nginx before the server, which like many a web server redirects to the address with a slash."""
    made = towline.Upstream(tmp_path, f"""
      location = /-/kubernetes-agent {{ return 301 https://$http_host/-/kubernetes-agent/; }}
      location / {{ proxy_pass https://127.0.0.1:{reachable.kas.port}; }}""", certificate_for=(HOST,), address="0.0.0.0")
    yield made
    made.stop()


def termination(release, name):
    """What the pod of a release shows of its container's last end; empty: it has not ended yet."""
    pods = json.loads(release.direct.out("get", "pods", f"--selector=app.kubernetes.io/instance={name}", "-o", "json"))
    for pod in pods["items"]:
        for status in pod["status"].get("containerStatuses", []):
            for state in (status.get("state", {}), status.get("lastState", {})):
                if "terminated" in state:
                    assert state["terminated"]["exitCode"] == 1
                    return state["terminated"].get("message", "")
    return ""


def log(release, name):
    """Of the container that runs or the one before."""
    pod = f"--selector=app.kubernetes.io/instance={name}"
    return "".join(release.direct.out("logs", pod, *more, check=False) for more in ([], ["--previous", "--tail=-1"]))


def test_what_is_wrong_is_logged_and_shown_by_the_pod(release, slash_server, tmp_path):
    kas = release.system.kas
    good = {"config.kasAddress": f"wss://{HOST}:{kas.port}/-/kubernetes-agent/", "config.token": release.system.agent_token,
            "config.kasCaCert": str(kas.ca_file)}
    closed = towline.free_port()
    cases = {
        "token": ({"config.token": "glagent-wrong"}, ["the agent token is wrong or revoked", "config.token"]),
        "address": ({"config.kasAddress": f"wss://{HOST}:{closed}/-/kubernetes-agent/"},
                    [f"connect {HOST}:{closed}: Connection refused", "config.kasAddress"]),
        "ca": ({"config.kasCaCert": str(slash_server.ca_file)}, ["the server's CA is not trusted", "config.kasCaCert"]),
        "slash": ({"config.kasAddress": f"wss://{HOST}:{slash_server.port}/-/kubernetes-agent",
                   "config.kasCaCert": str(slash_server.ca_file)},
                  ["the server answered 301", f"https://{HOST}:{slash_server.port}/-/kubernetes-agent/", "slash"]),
    }
    for name, (wrong, _) in cases.items():
        values = {**good, **wrong}
        release.helm.run(
            "upgrade", "--install", name, CHART, "--namespace", release.namespace, "--set", "replicas=1",
            "--set-file", f"config.kasCaCert={values['config.kasCaCert']}",
            "--set", f"config.kasAddress={values['config.kasAddress']},config.token={values['config.token']}",
            "--set", "extraArgs[0]=--startup-timeout=3")
    try:
        for name, (_, texts) in cases.items():
            towline.wait_for(lambda: termination(release, name), f"the pod with the wrong {name} to end", 90)
            message = termination(release, name)
            assert message.startswith("not connected to the server within 3 s: "), message
            assert all(text in message for text in texts), message
            assert "To do: " in message and "glagent" not in message
            logged = log(release, name)
            assert all(text in logged for text in texts), logged
            assert '"msg":"doctor"' in logged and "glagent" not in logged
    finally:
        for name in cases:
            release.helm.run("uninstall", name, "--namespace", release.namespace, check=False)


def test_what_the_chart_can_see_is_refused_at_once(release):
    without = release.install(token="", check=False)
    assert without.returncode != 0 and "config.token" in without.stderr
    unknown = release.install("--set", "replicas=many", check=False)
    assert unknown.returncode != 0 and "replicas" in unknown.stderr
    scheme = release.install("--set", "config.kasAddress=https://kas.example.com/", check=False)
    assert scheme.returncode != 0 and "kasAddress" in scheme.stderr


def test_the_doctor_runs_in_the_pod_with_the_agents_own_flags(release):
    release.install()
    release.ready()
    shown = release.direct.run("exec", release.deployment(), "--", "agentk", "doctor").stdout.decode()
    checks = {line.split()[1]: line for line in shown.splitlines()}
    assert checks["token"].startswith("ok ") and f"agent {release.system.agent_id} of root/demo" in checks["token"]
    assert "in-cluster" in checks["kubernetes"] and "cluster-admin" in checks["permissions"]
