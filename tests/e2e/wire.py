"""The messages of proto/ in Python, made by protoc into a folder of their own; texts are text, as other peers have them."""

import importlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import types

import towline

NAMES = ("agent_configuration", "agent_registrar", "agentcfg", "entity", "grpctool", "kubernetes_api", "prototool",
         "reverse_tunnel", "rpc_types")
PREFIX = "/gitlab.agent."
CONNECT = PREFIX + "reverse_tunnel.rpc.ReverseTunnel/Connect"
GET_CONFIGURATION = PREFIX + "agent_configuration.rpc.AgentConfiguration/GetConfiguration"
REGISTER = PREFIX + "agent_registrar.rpc.AgentRegistrar/Register"
UNREGISTER = PREFIX + "agent_registrar.rpc.AgentRegistrar/Unregister"
MAKE_REQUEST = PREFIX + "kubernetes_api.rpc.KubernetesApi/MakeRequest"


def load():
    """A namespace with a module for each file of proto/."""
    folder = tempfile.mkdtemp(prefix="towline-proto-")
    source = pathlib.Path(folder) / "source"
    shutil.copytree(towline.REPOSITORY / "proto", source)
    tool = source / "prototool.proto"
    text = re.sub(r"bytes (value|url_path) =", r"string \1 =", tool.read_text())
    tool.write_text(re.sub(r"\n[^\n]* raw_target = [^\n]*", "", text))
    subprocess.run(["protoc", f"--proto_path={source}", f"--python_out={folder}",
                    *(source / f"{name}.proto" for name in NAMES)], check=True, capture_output=True)
    sys.path.insert(0, folder)
    return types.SimpleNamespace(**{name: importlib.import_module(f"{name}_pb2") for name in NAMES})
