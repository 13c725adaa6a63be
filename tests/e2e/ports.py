"""Ports for programs that need to know theirs before they start."""

import errno
import random
import socket

# Below those that the kernel gives to outgoing connections (net.ipv4.ip_local_port_range), and to NodePorts: a port of
# theirs can be taken between its choice and its use.
CHOICE = range(10000, 30000)
_claims = []


def _claim(port):
    """Keeps the port from other processes of these tests until this one ends; says whether it was free."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0towline-test-port-{port}")
        with socket.socket() as s:
            s.bind(("0.0.0.0", port))
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    _claims.append(claim)
    return True


def free_ports(count):
    """The first of `count` successive ports that nothing uses and no other call is given."""
    for first in random.sample(CHOICE[:-count], 1000):
        if all(_claim(first + i) for i in range(count)):
            return first
    raise AssertionError(f"no {count} free ports in {CHOICE}")


def free_port():
    return free_ports(1)
