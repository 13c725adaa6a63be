"""The main job: a request through the tunnel to a real cluster."""

import pytest

import towline


@pytest.mark.parametrize("scheme", ["grpc", "grpcs", "ws", "wss"])
def test_kubectl_reaches_the_cluster_over_each_address_scheme(system, cluster, make_kubectl, direct, scheme):
    system.start_agent(cluster["KUBECONFIG"], scheme)
    through = make_kubectl(system.kubeconfig())
    asked = towline.GET_LASTING_NAMESPACES
    assert through.out(*asked) == direct.out(*asked) != ""
