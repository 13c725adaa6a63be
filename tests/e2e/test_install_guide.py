"""docs/install.md is true: its commands, one after the other, install, change and remove an agent on a real node."""

import json
import os
import pathlib
import re
import subprocess

import pytest

import proxies
import towline
from release import HOST, Objects, in_node

DOCS = towline.REPOSITORY / "docs"
NAMESPACE = "gitlab-agent-demo"


def blocks(name):
    """The commands of a page with their headings: [(heading, commands)]."""
    found, heading, lines = [], "", None
    for line in (DOCS / name).read_text().splitlines():
        if lines is None and line.startswith("#"):
            heading = line.lstrip("# ")
        elif line == "```sh":
            lines = []
        elif line == "```" and lines is not None:
            found.append((heading, "\n".join(lines)))
            lines = None
        elif lines is not None:
            lines.append(line)
    return found


def test_both_languages_have_the_same_commands_and_sections():
    english, japanese = blocks("install.md"), blocks("install.ja.md")
    assert [text for _, text in english] == [text for _, text in japanese]
    numbered = [[re.match(r"[\d.]*", heading).group() for heading, _ in page] for page in (english, japanese)]
    assert numbered[0] == numbered[1]


class Reader:
    """Somebody who follows the page, in one shell."""

    def __init__(self, folder, kas, cluster, places):
        self.folder, self.kas, self.places = folder, kas, places
        (folder / "ca.pem").write_text(kas.ca_file.read_text())
        # Git asks for a name and a password; this answers.
        (folder / "answer").write_text('#!/bin/sh\ncase $1 in User*) echo root ;; *) echo "$TOWLINE_TOKEN" ;; esac\n')
        (folder / "answer").chmod(0o700)
        home = folder / "home"
        (home / ".config/containers").mkdir(parents=True)
        (home / ".config/containers/registries.conf").write_text(
            f'[[registry]]\nlocation = "{places["registry.example.com"]}"\ninsecure = true\n')
        tools = f"{pathlib.Path(cluster['TOWLINE_HELM']).parent}:{pathlib.Path(cluster['TOWLINE_KUBECTL']).parent}"
        self.environment = {
            "PATH": f"{towline.BIN}:{tools}:{os.environ['PATH']}", "HOME": str(home), "KUBECONFIG": cluster["KUBECONFIG"],
            "TOWLINE_TOKEN": kas.TOKEN, "GIT_ASKPASS": str(folder / "answer"), "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Root", "GIT_AUTHOR_EMAIL": "root@example.com", "GIT_COMMITTER_NAME": "Root",
            "GIT_COMMITTER_EMAIL": "root@example.com"}
        (folder / "state").write_text("")

    def run(self, text):
        for written, meant in self.places.items():
            text = text.replace(written, meant)
        script = f"source ./state\n{text}\ndeclare -px > ./state"
        result = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=self.environment,
                                capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, f"{text}\n{result.stdout}{result.stderr}"
        return result.stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A real registry on this machine; gives its address."""
    folder, port = tmp_path_factory.mktemp("registry"), towline.free_port()
    (folder / "config.yml").write_text(json.dumps({
        "version": 0.1, "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"}, "log": {"level": "error"}}))
    process = towline.Process("docker-registry", ["docker-registry", "serve", folder / "config.yml"], folder)
    towline.wait_for(lambda: towline.connects(port), "the registry")
    yield f"127.0.0.1:{port}"
    process.stop()


@pytest.fixture(scope="module")
def squid():
    made = proxies.Squid(host=HOST)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def reader(tmp_path_factory, cluster, registry, squid, direct):
    folder = tmp_path_factory.mktemp("guide")
    kas = towline.Kas(folder / "server", host=HOST)
    made = Reader(folder, kas, cluster, {
        "https://towline.example.com": kas.url, "wss://towline.example.com": kas.url.replace("https", "wss"),
        "image/build": str(towline.REPOSITORY / "image/build"),
        "oci-archive:build": f"oci-archive:{towline.REPOSITORY}/build", "registry.example.com": registry, "http://proxy.example.com:3128": squid.url})
    yield made
    kas.stop()
    direct.run("delete", "namespace", NAMESPACE, "--wait=false", check=False)
    direct.run("delete", "clusterrolebinding", "deployer-view", "--ignore-not-found")


class Checks:
    """What is so after the commands of a section, block by block."""

    def __init__(self, reader, direct, registry, squid):
        self.kas, self.reader, self.direct, self.registry, self.squid = reader.kas, reader, direct, registry, squid
        self.inside, self.objects = direct.inside(NAMESPACE), Objects(direct)
        self.of_section = {
            "The image": [self.image],
            "3.": [self.both_pods, self.both_pods],
            "Fewer rights": [self.binding, self.account],
            "The token in": [self.secret],
            "Behind an HTTP proxy": [self.proxy],
            "Several agents": [lambda: self.pods_are_connected(2)],
            "5.": [self.both_pods, self.both_pods, self.both_pods],
            "7.": [lambda: towline.wait_for(lambda: self.objects.of(NAMESPACE) == [], "nothing to be left", 120)],
        }

    def image(self):
        found = json.loads(self.reader.run(f"skopeo inspect docker://{self.registry}/towline/agentk:v0.1.0"))
        assert found["Os"] == "linux"
        # The node knows no registry.
        with open(towline.REPOSITORY / "build/images/agentk.tar", "rb") as archive:
            in_node("ctr", "-n", "k8s.io", "image", "import", "-", input=archive)

    def pods_are_connected(self, agent_id):
        path = f"/projects/root%2Fdemo/cluster_agents/{agent_id}/connections"
        towline.wait_for(lambda: len(self.kas.api("GET", path, expect=200)[1]) == 2, "both pods to be connected", 90)

    def both_pods(self):
        self.inside.run("rollout", "status", "deployment/demo-gitlab-agent-v2", "--timeout=2m")
        self.pods_are_connected(1)

    def deployment(self, path):
        return self.inside.out("get", "deployment/demo-gitlab-agent-v2", "-o", f"jsonpath={{.spec.template.spec{path}}}")

    def binding(self):
        self.both_pods()
        name = f"{NAMESPACE}:demo-gitlab-agent-view"
        assert self.direct.out("get", "clusterrolebinding", name, "-o", "jsonpath={.roleRef.name}") == "view"

    def account(self):
        self.both_pods()
        assert self.deployment(".serviceAccountName") == "deployer"

    def secret(self):
        self.both_pods()
        assert self.deployment(".volumes[*].secret.secretName") == "my-agent-token"

    def proxy(self):
        self.both_pods()
        assert self.squid.url in self.deployment(".containers[0].env[*].value")


def test_the_commands_of_the_page_do_what_it_says(reader, direct, registry, squid):
    checks = Checks(reader, direct, registry, squid)
    left = dict(checks.of_section)
    for heading, text in blocks("install.md"):
        reader.run(text)
        for section, steps in checks.of_section.items():
            if heading.startswith(section) and steps:
                steps.pop(0)()
    assert not any(left.values()), "a section has fewer commands than checks"
    towline.wait_for(lambda: f"CONNECT {HOST}:{reader.kas.port}" in squid.requests(), "the proxy's log to name the server")
