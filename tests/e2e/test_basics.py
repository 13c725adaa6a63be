"""The main job: a request through the tunnel to a real cluster."""

import pytest


@pytest.mark.parametrize("scheme", ["grpc", "grpcs", "ws", "wss"])
def test_kubectl_reaches_the_cluster_over_each_address_scheme(system, cluster, make_kubectl, direct, scheme):
    system.start_agent(cluster["KUBECONFIG"], scheme)
    through = make_kubectl(system.kubeconfig())
    # Other tests' namespaces come and go; these stay.
    asked = ("get", "namespaces", "default", "kube-public", "kube-system", "-o", "jsonpath={.items[*].metadata.uid}")
    assert through.out(*asked) == direct.out(*asked) != ""
