"""People's own clients of the API: python-gitlab and gitbeaker."""

import base64
import os
import shutil
import subprocess

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
    assert [m.access_level for m in project.members_all.list(get_all=True) if m.id == ada.id] == [30]
    member = project.members.create({"user_id": ada.id, "access_level": gitlab.const.AccessLevel.REPORTER})
    member.access_level = gitlab.const.AccessLevel.MAINTAINER
    member.save()
    assert project.members.get(ada.id).access_level == 40
    member.delete()
    assert project.members.list() == []

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
    project.commits.create({"branch": "main", "commit_message": "Three", "actions": [
        {"action": "update", "file_path": "a.txt", "content": "b"},
        {"action": "move", "file_path": "moved.bin", "previous_path": "b.bin"},
        {"action": "delete", "file_path": ".gitlab/agents/prod/config.yaml"}]})
    assert project.files.raw("a.txt", ref="main") == b"b" and project.files.raw("moved.bin", ref="main") == b"\0b"
    assert [entry["name"] for entry in project.repository_tree(get_all=True)] == ["a.txt", "moved.bin"]
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
    with pytest.raises(gitlab.exceptions.GitlabDeleteError) as available:
        environment.delete()
    assert available.value.response_code == 403
    environment.stop()
    stopped = project.environments.get(environment.id)
    assert stopped.state == "stopped" and stopped.external_url == "https://b.example.com"
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

    token = ada.personal_access_tokens.create({"name": "laptop", "scopes": ["read_api"]})
    as_ada = gitlab.Gitlab(kas.url, private_token=token.token, ssl_verify=str(kas.ca_file))
    as_ada.auth()
    assert as_ada.user.username == "ada" and as_ada.projects.get(project.id).permissions
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as reads_only:
        as_ada.projects.create({"name": "mine"})
    assert reads_only.value.response_code == 403
    assert [each.name for each in client.personal_access_tokens.list(user_id=ada.id)] == ["laptop"]
    client.personal_access_tokens.delete(token.id)
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        as_ada.auth()

    client.http_delete(own)
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as gone:
        client.http_get(own)
    assert gone.value.response_code == 404
    project.delete()
    with pytest.raises(gitlab.exceptions.GitlabGetError) as no_project:
        client.projects.get("team/sub/app")
    assert no_project.value.response_code == 404
    team.delete()


def test_python_gitlab_reads_lists_of_any_length(client):
    project = client.projects.create({"name": "many"})
    names = {f"agent-{i}" for i in range(120)}
    for name in names:
        client.http_post(f"/projects/{project.id}/cluster_agents", post_data={"name": name})
    listed = client.http_list(f"/projects/{project.id}/cluster_agents", iterator=True, per_page=50)
    assert listed.total == 120 and listed.per_page == 50 and listed.total_pages == 3
    assert {agent["name"] for agent in listed} == names
    for i in range(101):
        project.environments.create({"name": f"review/{i}"})
    environments = project.environments.list(iterator=True, per_page=100)
    assert len({environment.id for environment in environments}) == 101
    project.delete()


def test_python_gitlab_is_told_what_is_wrong(client, kas):
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as named:
        client.projects.create({})
    assert named.value.response_code == 400 and "name" in named.value.error_message
    client.groups.create({"name": "taken", "path": "taken"})
    with pytest.raises(gitlab.exceptions.GitlabCreateError) as taken:
        client.groups.create({"name": "taken", "path": "taken"})
    assert taken.value.response_code == 409
    project = client.projects.create({"name": "rules"})
    with pytest.raises(gitlab.exceptions.GitlabHttpError) as name:
        client.http_post(f"/projects/{project.id}/cluster_agents", post_data={"name": "Not_a_label"})
    assert name.value.response_code == 400
    wrong = gitlab.Gitlab(kas.url, private_token="glpat-wrong", ssl_verify=str(kas.ca_file))
    with pytest.raises(gitlab.exceptions.GitlabAuthenticationError):
        wrong.auth()
    token = client.personal_access_tokens.list(user_id=client.user.id)[0]
    assert token.active and token.user_id == client.user.id


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
