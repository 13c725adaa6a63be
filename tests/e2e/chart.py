"""The chart, rendered by real helm without a cluster, and what it says of its own values."""

import json

import yaml

from release import CHART

NEEDED = {"config.kasAddress": "wss://kas.test/-/kubernetes-agent/", "config.token": "glagent-test"}
TLS = {"config.observability.tls.enabled": True, "config.observability.tls.secret.create": True,
       "config.observability.tls.cert": "certificate", "config.observability.tls.key": "key"}
# The original's values that change nothing here, and what its users may have set them to.
WITHOUT_EFFECT = {
    "config.api.listenNetwork": "tcp4", "config.api.listenAddress": "[::]:8082", "config.api.jwtPublicKey": "key",
    "config.api.tls.enabled": True, "config.api.tls.cert": "certificate", "config.api.tls.key": "key",
    "config.privateApi.listenNetwork": "tcp4", "config.privateApi.listenAddress": "0.0.0.0:8081",
    "config.privateApi.tls.enabled": True, "config.privateApi.tls.cert": "certificate",
    "config.privateApi.tls.key": "key", "config.privateApi.tls.caCert": "CA",
    "config.operational_container_scanning.enabled": True,
    "service.type": "LoadBalancer", "service.externalPort": 443, "service.internalPort": 8082,
    "service.privateApiPort": 8081, "ingress.enabled": True, "ingress.provider": "other", "ingress.className": "other",
    "ingress.annotations": {"a": "b"}, "ingress.hostname": "other.test", "ingress.tls.enabled": True,
}
# Where pods are described.
POD = ("Deployment", "spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
ARGS = (*CONTAINER, "args")
ANNOTATIONS = ("Deployment", "spec", "template", "metadata", "annotations")


def nested(values):
    """{"a.b": 1} as {"a": {"b": 1}}."""
    made = {}
    for name, value in values.items():
        *parents, last = name.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    return made


class Chart:
    """The chart, rendered without a cluster."""

    def __init__(self, helm):
        self.helm = helm

    def command(self, values, *options, command="template", release_name="x", needed=True):
        file = self.helm.folder / "values.yaml"
        file.write_text(json.dumps(nested({**(NEEDED if needed else {}), **values})))
        name = [] if command == "lint" else [release_name]
        return self.helm.run(command, *name, CHART, "-f", file, *options, check=False)

    def render(self, values, *options, **more):
        """The objects by kind; the second of a kind is "<kind> 2"."""
        result = self.command(values, *options, **more)
        assert result.returncode == 0, result.stderr
        found = {}
        for each in yaml.safe_load_all(result.stdout):
            kind = each["kind"]
            found[kind if kind not in found else f"{kind} 2"] = each
        return found

    def refusal(self, values, **more):
        """What is said of these values, with the names of both helms' notations alike."""
        result = self.command(values, **more)
        assert result.returncode != 0, "they are accepted"
        return result.stderr.replace("/", ".")


def at(objects, path):
    for step in path:
        try:
            objects = objects[step]
        except (KeyError, IndexError):
            return None
    return objects


def schema():
    return json.loads((CHART / "values.schema.json").read_text())


def leaves(tree, of=None, prefix=""):
    """Names and defaults of the values, down to where the schema leaves the keys to the user."""
    of = of or schema()
    for key, value in tree.items():
        inner = of["properties"][key]
        if "properties" in inner:
            yield from leaves(value, inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def defaults():
    return dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))


def schema_leaves(of, prefix=""):
    for key, inner in of["properties"].items():
        if "properties" in inner:
            yield from schema_leaves(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
