"""scripts/demo, as a newcomer runs it."""

import os
import pathlib
import re
import subprocess

import pytest

import ports
import towline

pytestmark = pytest.mark.measures  # it runs the release build whatever is under test


def demo(folder, *arguments, check=True):
    result = subprocess.run([towline.REPOSITORY / "scripts/demo", *map(str, arguments)], capture_output=True, text=True,
                            timeout=300, env={**os.environ, "TOWLINE_DEMO_DIR": str(folder)}, stdin=subprocess.DEVNULL)
    if check:
        assert result.returncode == 0, result.stderr
    return result


def command_lines():
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().decode(errors="replace")
        except OSError:
            pass


def test_up_status_up_again_and_down(tmp_path, cluster, make_kubectl, direct):
    folder, port = tmp_path / "demo", ports.free_ports(3)
    try:
        first = demo(folder, "up", "--port", port, "--kubeconfig", cluster["KUBECONFIG"])
        assert "kube-system" in first.stdout and re.search(r"\[ *\d+s\]", first.stderr)
        env = dict(re.findall(r"^export (\w+)=(.*)$", (folder / "env").read_text(), re.M))
        assert set(env) >= {"TOWLINE_URL", "TOWLINE_TOKEN", "TOWLINE_CA", "TOWLINE_PROJECT", "TOWLINE_AGENT_ID", "KUBECONFIG",
                            "TOWLINE_DIRECT_KUBECONFIG", "TOWLINE_KAS_PID", "TOWLINE_AGENTK_PID"}
        assert env["TOWLINE_URL"] == f"https://localhost:{port}" and env["TOWLINE_PROJECT"] == "root/demo"
        through = make_kubectl(env["KUBECONFIG"])
        assert through.out("get", "nodes", "-o", "name") == direct.out("get", "nodes", "-o", "name")
        for name in ("KAS", "AGENTK"):
            executable = os.readlink(f"/proc/{env[f'TOWLINE_{name}_PID']}/exe")
            assert executable.endswith(f"/build/release/bin/{name.lower()}")
        # Nobody who lists processes or reads files of others learns a secret.
        secrets = [env["TOWLINE_TOKEN"], (folder / "agent-token").read_text().strip(), (folder / "root-token").read_text()]
        assert not [line for line in command_lines() if any(secret in line for secret in secrets)]
        assert folder.stat().st_mode & 0o077 == 0
        again = demo(folder, "up", "--port", port)
        assert "runs already" in again.stderr and "kube-system" in again.stdout
        assert env["TOWLINE_KAS_PID"] in (folder / "env").read_text()
        assert "requests: pass" in demo(folder, "status").stdout
        taken = demo(tmp_path / "second", "up", "--port", port, "--kubeconfig", cluster["KUBECONFIG"], check=False)
        assert taken.returncode == 1 and f"port {port} is taken" in taken.stderr
    finally:
        demo(folder, "down")
    assert not folder.exists()
    assert not any(towline.connects(port + i) for i in range(3))
    assert demo(folder, "status", check=False).returncode == 1


def test_help_and_wrong_usage(tmp_path):
    assert "usage:" in demo(tmp_path, "--help").stdout
    assert demo(tmp_path, "sideways", check=False).returncode == 2
    assert demo(tmp_path, "up", "--sideways", check=False).returncode == 2
