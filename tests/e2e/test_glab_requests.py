"""The HTTP requests of `glab cluster agent bootstrap`, one after the other, with its encodings.

glab is not installed here; what stands here are its requests as they were seen on the wire, of glab 1.53 with
`my-agent --manifest-path clusters/prod -R root/demo`."""

import base64
import json

import pytest

import towline

PROJECT = "/projects/root%2Fdemo"
FILES = PROJECT + "/repository/files/"
CONFIG_FILE = FILES + "%2Egitlab%2Fagents%2Fmy-agent%2Fconfig%2Eyaml"
MANIFESTS = [FILES + "clusters%2Fprod%2Fgitlab-helm-repository%2Eyaml",
             FILES + "clusters%2Fprod%2Fgitlab-agent-helm-release%2Eyaml"]
AUTHOR = {"branch": "main", "author_email": "noreply@glab.example.com", "author_name": "glab"}
CONFIG = "user_access:\n  access_as:\n    agent: {}\n  projects:\n    - id: root/demo\n"
FLUX_RESOURCE = "helm.toolkit.fluxcd.io/v2beta1/namespaces/flux-system/helmreleases/gitlab-agent"


class Glab:
    """Asserts a call's status, keeps the answer's headers and gives its decoded body."""

    HEADERS = {"Accept": "application/json", "User-Agent": "glab/1.53.0 (linux, amd64)"}

    def __init__(self, kas):
        self.kas = kas

    def __call__(self, method, path, body=None, expect=200):
        status, self.headers, text = self.kas.call(method, path, body, headers=self.HEADERS)
        assert status == expect, f"{method} {path}: {status} {text!r}"
        return json.loads(text) if text else None


@pytest.fixture
def glab(tmp_path):
    kas = towline.Kas(tmp_path)
    kas.create_project("demo")
    yield Glab(kas)
    kas.stop()


def find_project(glab):
    project = glab("GET", PROJECT + "?license=true&with_custom_attributes=true")
    assert project["path_with_namespace"] == "root/demo" and project["default_branch"] == "main"
    assert project["http_url_to_repo"] == glab.kas.url + "/root/demo.git" and project["ssh_url_to_repo"].endswith("root/demo.git")
    assert project["web_url"] == glab.kas.url + "/root/demo" and project["id"] > 0
    return project


def register(glab, project):
    assert glab("GET", PROJECT + "/cluster_agents?page=1&per_page=100") == []
    assert glab.headers["X-Total-Pages"] == "1" and glab.headers["X-Next-Page"] == ""
    agent = glab("POST", PROJECT + "/cluster_agents", {"name": "my-agent"}, 201)
    assert agent["name"] == "my-agent" and agent["config_project"]["id"] == project["id"]
    assert agent["config_project"]["path_with_namespace"] == "root/demo"
    assert glab("GET", PROJECT + "/cluster_agents?page=1&per_page=100") == [agent]
    return agent


def configure(glab):
    glab("GET", CONFIG_FILE + "?ref=main", expect=404)
    made = glab("POST", CONFIG_FILE, {**AUTHOR, "content": CONFIG, "commit_message": "Add agent config file"}, 201)
    assert made == {"file_path": ".gitlab/agents/my-agent/config.yaml", "branch": "main"}
    file = glab("GET", CONFIG_FILE + "?ref=main")
    assert base64.b64decode(file["content"]).decode() == CONFIG and file["encoding"] == "base64"
    commit = glab("GET", PROJECT + "/repository/commits/" + file["last_commit_id"])
    assert (commit["author_name"], commit["author_email"]) == ("glab", "noreply@glab.example.com")


def make_environment(glab, agent):
    path = PROJECT + "/environments"
    assert glab("GET", path + "?name=flux-system%2Fgitlab-agent") == []
    made = glab("POST", path, {"name": "flux-system/gitlab-agent", "cluster_agent_id": agent["id"],
                               "kubernetes_namespace": "gitlab-agent", "flux_resource_path": FLUX_RESOURCE}, 201)
    assert made["state"] == "available" and made["cluster_agent"]["id"] == agent["id"]
    assert made["kubernetes_namespace"] == "gitlab-agent" and made["flux_resource_path"] == FLUX_RESOURCE
    found = glab("GET", path + "?name=flux-system%2Fgitlab-agent")
    assert [each["id"] for each in found] == [made["id"]] and found[0]["name"] == "flux-system/gitlab-agent"


def make_token(glab, agent, name="flux"):
    token = glab("POST", f"{PROJECT}/cluster_agents/{agent['id']}/tokens", {"name": name, "description": "By glab"}, 201)
    assert token["token"].startswith("glagent-") and token["status"] == "active" and token["agent_id"] == agent["id"]
    return token


def commit_manifests(glab):
    for path in MANIFESTS:
        glab("HEAD", path + "?ref=main", expect=404)
        glab("POST", path, {**AUTHOR, "content": "kind: x\n", "commit_message": "Add manifests"}, 201)
        glab("HEAD", path + "?ref=main")
        assert glab.headers["X-Gitlab-File-Path"].startswith("clusters/prod/gitlab-") and glab.headers["X-Gitlab-Size"] == "8"
        assert glab.headers["X-Gitlab-Last-Commit-Id"] == glab.headers["X-Gitlab-Commit-Id"] and glab.headers["X-Gitlab-Blob-Id"]


def test_each_step_of_the_bootstrap_gets_its_answer(glab):
    project = find_project(glab)
    agent = register(glab, project)
    configure(glab)
    make_environment(glab, agent)
    assert glab("GET", f"{PROJECT}/cluster_agents/{agent['id']}/tokens?per_page=2") == []
    make_token(glab, agent)
    metadata = glab("GET", "/metadata")
    assert metadata["version"] and metadata["kas"]["enabled"] is True and metadata["kas"]["version"]
    assert metadata["kas"]["externalUrl"] == f"wss://localhost:{glab.kas.port}/-/kubernetes-agent/"
    assert metadata["kas"]["externalK8sProxyUrl"].startswith(glab.kas.url)
    commit_manifests(glab)


def test_a_second_run_finds_what_the_first_one_made(glab):
    agent = register(glab, find_project(glab))
    configure(glab)
    commit_manifests(glab)
    taken = glab("POST", PROJECT + "/cluster_agents", {"name": "my-agent"}, 409)
    assert "already been taken" in taken["message"]
    # glab replaces what it finds: by POST it would be refused.
    refused = glab("POST", CONFIG_FILE, {**AUTHOR, "content": CONFIG, "commit_message": "Again"}, 400)
    assert "exists" in refused["message"]
    glab("PUT", MANIFESTS[0], {**AUTHOR, "content": "kind: y\n", "commit_message": "Update manifests"})
    assert base64.b64decode(glab("GET", MANIFESTS[0] + "?ref=main")["content"]) == b"kind: y\n"
    assert glab("GET", PROJECT + "/cluster_agents?page=1&per_page=100") == [agent]


def test_with_two_tokens_one_makes_room(glab):
    agent = register(glab, find_project(glab))
    path = f"{PROJECT}/cluster_agents/{agent['id']}/tokens"
    first, second = make_token(glab, agent, "one"), make_token(glab, agent, "two")
    active = glab("GET", path + "?per_page=2")
    assert {each["id"] for each in active} == {first["id"], second["id"]} and all("token" not in each for each in active)
    glab("POST", path, {"name": "three"}, 400)
    assert glab("GET", f"{path}/{first['id']}")["last_used_at"] is None
    glab("DELETE", f"{path}/{first['id']}", expect=204)
    glab("GET", f"{path}/{first['id']}", expect=404)
    make_token(glab, agent, "three")


def test_a_path_may_be_escaped_to_the_last_character(glab):
    configure(glab)
    every = "".join(f"%{byte:02X}" for byte in b".gitlab/agents/my-agent/config.yaml")
    assert glab("GET", FILES + every + "?ref=main")["file_path"] == ".gitlab/agents/my-agent/config.yaml"
    lower = CONFIG_FILE.replace("%2E", "%2e").replace("%2F", "%2f").replace("my-agent", "my%2dagent")
    assert glab("GET", lower + "?ref=main")["file_name"] == "config.yaml"
