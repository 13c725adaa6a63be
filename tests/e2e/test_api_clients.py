"""People's own clients of the API: python-gitlab, and the requests that glab makes."""

import base64
import os
import shutil
import subprocess
import urllib.parse

import gitlab
import pytest

import towline

CONFIG = "user_access:\n  access_as:\n    agent: {}\n  projects:\n    - id: team/sub/app\n"


@pytest.fixture(scope="module")
def kas(tmp_path_factory):
    made = towline.Kas(tmp_path_factory.mktemp("kas"))
    yield made
    made.stop()


@pytest.fixture
def client(kas):
    made = gitlab.Gitlab(kas.url, private_token=kas.TOKEN, ssl_verify=str(kas.ca_file), per_page=50)
    made.auth()
    return made


def test_python_gitlab_runs_the_life_of_an_agent(client, kas):
    assert client.user.username == "root"
    team = client.groups.create({"name": "Team", "path": "team"})
    sub = client.groups.create({"name": "Sub", "path": "sub", "parent_id": team.id})
    project = client.projects.create({"name": "App", "path": "app", "namespace_id": sub.id})
    assert project.path_with_namespace == "team/sub/app"
    ada = client.users.create({"username": "ada", "name": "Ada", "email": "ada@example.com", "password": "correct horse"})
    sub.members.create({"user_id": ada.id, "access_level": gitlab.const.AccessLevel.DEVELOPER})
    assert [m.username for m in project.members_all.list(get_all=True) if m.id == ada.id] == ["ada"]

    project.files.create({"file_path": ".gitlab/agents/prod/config.yaml", "branch": "main", "content": CONFIG,
                          "commit_message": "Configure the agent", "author_name": "Root", "author_email": "r@example.com"})
    file = project.files.get(".gitlab/agents/prod/config.yaml", ref="main")
    assert file.decode().decode() == CONFIG
    file.content = CONFIG + "# more\n"
    file.save(branch="main", commit_message="Say more")
    commit = project.commits.create({"branch": "main", "commit_message": "Two at once", "actions": [
        {"action": "create", "file_path": "a.txt", "content": "a"},
        {"action": "create", "file_path": "b.bin", "content": base64.b64encode(b"\0b").decode(), "encoding": "base64"}]})
    assert project.commits.get(commit.id).title == "Two at once"
    assert {"a.txt", "b.bin", ".gitlab"} <= {entry["name"] for entry in project.repository_tree(get_all=True)}
    assert [branch.name for branch in project.branches.list()] == ["main"]

    agents = f"/projects/{project.encoded_id}/cluster_agents"
    agent = client.http_post(agents, post_data={"name": "prod"})
    assert agent["config_project"]["path_with_namespace"] == "team/sub/app"
    own = f"{agents}/{agent['id']}"
    tokens = [client.http_post(f"{own}/tokens", post_data={"name": name}) for name in ("one", "two")]
    assert all(token["token"].startswith("glagent-") for token in tokens)
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as third:
        client.http_post(f"{own}/tokens", post_data={"name": "three"})
    assert third.value.response_code == 400
    client.http_delete(f"{own}/tokens/{tokens[0]['id']}")
    assert [token["name"] for token in client.http_list(f"{own}/tokens", get_all=True)] == ["two"]

    url = client.http_post(f"{own}/url_configurations", post_data={"url": "grpcs://agent.example.com:443"})
    assert client.http_get(own)["is_receptive"] is True and url["public_key"]
    client.http_delete(f"{own}/url_configurations/{url['id']}")

    environment = project.environments.create({"name": "flux-system/gitlab-agent", "external_url": "https://a.example.com"})
    assert project.environments.list(search="flux")[0].id == environment.id
    environment.external_url = "https://b.example.com"
    environment.save()
    environment.stop()
    environment.delete()
    assert project.environments.list() == []

    assert [rule.name for rule in project.protectedbranches.list()] == ["main"]
    project.protectedbranches.create({"name": "release/*", "push_access_level": 40})
    project.protectedbranches.delete("release/*")
    bot = project.access_tokens.create({"name": "ci", "scopes": ["api"], "access_level": 30})
    as_bot = gitlab.Gitlab(kas.url, private_token=bot.token, ssl_verify=str(kas.ca_file))
    assert as_bot.projects.get(project.id).id == project.id
    project.access_tokens.delete(bot.id)
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        as_bot.auth()

    client.http_delete(own)
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as gone:
        client.http_get(own)
    assert gone.value.response_code == 404
    project.delete()
    with pytest.raises(gitlab.exceptions.GitlabGetError):
        client.projects.get("team/sub/app")
    team.delete()


def test_python_gitlab_reads_lists_of_any_length(client):
    project = client.projects.create({"name": "many"})
    names = {f"agent-{i}" for i in range(120)}
    for name in names:
        client.http_post(f"/projects/{project.id}/cluster_agents", post_data={"name": name})
    listed = client.http_list(f"/projects/{project.id}/cluster_agents", iterator=True, per_page=50)
    assert listed.total == 120 and listed.per_page == 50 and listed.total_pages == 3
    assert {agent["name"] for agent in listed} == names
    project.delete()


def test_python_gitlab_is_told_what_is_wrong(client, kas):
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as named:
        client.projects.create({})
    assert named.value.response_code == 400 and "name" in named.value.error_message
    client.groups.create({"name": "taken", "path": "taken"})
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as taken:
        client.groups.create({"name": "taken", "path": "taken"})
    assert taken.value.response_code in (400, 409)
    project = client.projects.create({"name": "rules"})
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as name:
        client.http_post(f"/projects/{project.id}/cluster_agents", post_data={"name": "Not_a_label"})
    assert name.value.response_code == 400
    wrong = gitlab.Gitlab(kas.url, private_token="glpat-wrong", ssl_verify=str(kas.ca_file))
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        wrong.auth()
    token = client.personal_access_tokens.list(user_id=client.user.id)[0]
    assert token.active and token.user_id == client.user.id


def quoted(path):
    """As glab encodes: dots and dashes too."""
    return urllib.parse.quote(path, safe="").replace(".", "%2E").replace("-", "%2D")


def test_the_requests_of_glabs_bootstrap_are_answered(kas):
    """In the order of `glab cluster agent bootstrap my-agent --manifest-path clusters/prod -R root/boot`."""
    kas.create_project("boot")
    at = "/projects/root%2Fboot"
    project = kas.api("GET", at + "?license=true&with_custom_attributes=true", expect=200)[1]
    assert project["default_branch"] == "main" and project["path_with_namespace"] == "root/boot"
    assert kas.api("GET", at + "/cluster_agents?page=1&per_page=100", expect=200)[1] == []
    agent = kas.api("POST", at + "/cluster_agents", {"name": "my-agent"}, expect=201)[1]
    assert agent["name"] == "my-agent"

    file = at + "/repository/files/" + quoted(".gitlab/agents/my-agent/config.yaml")
    assert kas.api("GET", file + "?ref=main")[0] == 404
    written = kas.api("POST", file, {"branch": "main", "author_email": "a@example.com", "author_name": "A",
                                     "content": "user_access:\n  access_as:\n    agent: {}\n  projects:\n"
                                                "  - id: root/boot\n",
                                     "commit_message": "Add agent config file"}, expect=201)[1]
    assert written == {"file_path": ".gitlab/agents/my-agent/config.yaml", "branch": "main"}

    environments = at + "/environments"
    assert kas.api("GET", environments + "?name=flux-system%2Fgitlab-agent", expect=200)[1] == []
    resource = "helm.toolkit.fluxcd.io/v2beta1/namespaces/flux-system/helmreleases/gitlab-agent"
    environment = kas.api("POST", environments, {"name": "flux-system/gitlab-agent", "cluster_agent_id": agent["id"],
                                                 "kubernetes_namespace": "gitlab-agent",
                                                 "flux_resource_path": resource}, expect=201)[1]
    assert environment["cluster_agent"]["id"] == agent["id"] and environment["flux_resource_path"] == resource

    tokens = f"{at}/cluster_agents/{agent['id']}/tokens"
    assert kas.api("GET", tokens + "?per_page=2", expect=200)[1] == []
    token = kas.api("POST", tokens, {"name": "flux", "description": "by glab"}, expect=201)[1]
    assert token["token"].startswith("glagent-") and token["status"] == "active"

    metadata = kas.api("GET", "/metadata", expect=200)[1]
    assert metadata["kas"]["enabled"] and metadata["kas"]["externalUrl"].startswith("wss://")

    for name in ("gitlab-helm-repository.yaml", "gitlab-agent-helm-release.yaml"):
        manifest = at + "/repository/files/" + quoted(f"clusters/prod/{name}")
        assert kas.api("HEAD", manifest + "?ref=main")[0] == 404
        kas.api("POST", manifest, {"branch": "main", "author_email": "a@example.com", "author_name": "A",
                                   "content": "kind: x\n", "commit_message": "Add Flux manifests"}, expect=201)
        assert kas.api("HEAD", manifest + "?ref=main")[0] == 200

    # The second time everything is found; with two active tokens the one longest unused makes room.
    assert [each["id"] for each in kas.api("GET", at + "/cluster_agents?page=1&per_page=100", expect=200)[1]] == [agent["id"]]
    assert kas.api("GET", file + "?ref=main", expect=200)[1]["encoding"] == "base64"
    kas.api("POST", tokens, {"name": "flux-2"}, expect=201)
    active = kas.api("GET", tokens + "?per_page=2", expect=200)[1]
    assert len(active) == 2
    kas.api("DELETE", f"{tokens}/{token['id']}", expect=204)
    kas.api("POST", tokens, {"name": "flux-3"}, expect=201)


def test_gitbeaker_runs_the_life_of_an_agent(kas, tmp_path):
    """npm's client, in Node."""
    source = towline.REPOSITORY / "tests/clients/gitbeaker"
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(source / name, tmp_path)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=tmp_path, check=True, timeout=120)
    result = subprocess.run(["node", source / "life.mjs"], capture_output=True, text=True, timeout=120,
                            env={**os.environ, "TOWLINE_URL": kas.url, "TOWLINE_TOKEN": kas.TOKEN,
                                 "TOWLINE_MODULES": str(tmp_path), "NODE_EXTRA_CA_CERTS": str(kas.ca_file)})
    assert result.returncode == 0 and "done" in result.stdout, result.stderr
