"""No include and no link breaks the layer rules; and the check itself finds what breaks them."""

import pathlib

import pytest

import layers

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]


def test_the_tree_keeps_the_layer_rules():
    assert (REPOSITORY / "src/base").is_dir()
    found = layers.problems(REPOSITORY)
    assert not found, "\n".join(found)


def test_the_check_sees_the_programs_and_their_libraries():
    graph = layers.link_graph(REPOSITORY / "src")
    assert "tunnel_agent" in layers.closure(graph, "agentk")
    assert {"tunnel_server", "control", "io", "base"} <= layers.closure(graph, "kas")
    assert layers.closure(graph, "towline") == {"cli", "base"}


def tree(folder, files):
    for name, text in files.items():
        path = folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return layers.problems(folder)


@pytest.mark.parametrize("file, included, reason", [
    ("io/a.cc", "http/b.h", "arrows point down only"),
    ("kube/a.cc", "tunnel/wire.h", "side by side"),
    ("web/a.cc", "control/backend.h", "side by side"),
    ("tunnel/a.h", "kube/b.h", "side by side"),
    ("grpc/a.h", "control/backend.h", "arrows point down only"),
    ("modules/flux/server/a.cc", "modules/registrar/server/b.h", "a feature does not know another"),
    ("modules/flux/agent/a.cc", "modules/flux/server/b.h", "never meet"),
    ("tunnel/server/a.cc", "tunnel/agent/b.h", "never meet"),
    ("agentk/a.cc", "modules/flux/server/b.h", "nothing of a server"),
    ("agentk/a.cc", "control/backend.h", "over the network only"),
    ("cli/a.cc", "control/backend.h", "a client like any other"),
    ("cli/a.cc", "http/message.h", "a client like any other"),
    ("modules/flux/agent/a.cc", "kas/b.h", "arrows point down only"),
    ("io/a.cc", "proto/entity.pb.h", "does not know what travels"),
    ("io/a_test.cc", "tests/helper.h", "never includes tests"),
    ("io/a.cc", "../http/b.h", "never includes tests, nor goes up"),
    ("io/a.cc", "b.h", "write the path from src/"),
])
def test_an_include_that_breaks_a_rule_is_found(tmp_path, file, included, reason):
    found = tree(tmp_path, {file: f'#pragma once\n#include "{included}"\n'})
    assert len(found) == 1 and reason in found[0] and file in found[0], found


@pytest.mark.parametrize("file, included", [
    ("http/a.cc", "io/b.h"),
    ("http/a.cc", "http/b.h"),
    ("modules/flux/server/a.cc", "control/backend.h"),
    ("modules/flux/server/a.cc", "modules/flux/wire.h"),
    ("kas/a.cc", "modules/flux/server/b.h"),
    ("tunnel/tunnel_test.cc", "tunnel/agent/b.h"),
    ("tunnel/server/router_test.cc", "tunnel/agent/b.h"),
    ("tunnel/wire.cc", "proto/reverse_tunnel.pb.h"),
])
def test_an_include_that_keeps_the_rules_is_not_found(tmp_path, file, included):
    assert tree(tmp_path, {file: f'#include "{included}"\n#include <vector>\n'}) == []


@pytest.mark.parametrize("cmake, reason", [
    ("towline_module(io SOURCES a.cc DEPS http base)", "io links http: arrows point down only"),
    ("towline_module(flux/agent SOURCES a.cc DEPS registrar/agent)", "a feature does not know another"),
    ("towline_module(tunnel/agent SOURCES a.cc LIBS towline_tunnel_server)", "never meet"),
    ("towline_module(flux/agent SOURCES a.cc DEPS control)\ntarget_link_libraries(agentk PRIVATE towline_flux_agent)",
     "agentk links control: agentk speaks to the control plane over the network only"),
    ("towline_module(cli SOURCES a.cc DEPS base)\ntarget_link_libraries(towline PRIVATE towline_cli towline_io)",
     "towline links io: the command line is a client like any other"),
    ("towline_module(mystery SOURCES a.cc DEPS base)", "belongs to no layer"),
    ("target_link_libraries(kas PRIVATE towline_tunnel_agent)", "never links an agent's end"),
])
def test_a_link_that_breaks_a_rule_is_found(tmp_path, cmake, reason):
    found = tree(tmp_path, {"modules/flux/agent/a.cc": "", "modules/registrar/agent/a.cc": "", "CMakeLists.txt": cmake})
    assert any(reason in each for each in found), found


def test_libraries_of_tests_may_join_both_ends(tmp_path):
    cmake = "towline_module(tunnel/server SOURCES a.cc TESTS t.cc DEPS grpc TEST_LIBS towline_tunnel_agent)"
    assert tree(tmp_path, {"CMakeLists.txt": cmake}) == []
