"""GraphQL, as scripts and pages ask it, about an agent that is really connected."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

import towline

AGENTS = """
query Agents($path: ID!) {
  project(fullPath: $path) {
    clusterAgents {
      count
      nodes {
        id
        name
        tokens(status: ACTIVE) { nodes { id name lastUsedAt } }
        connections { nodes { connectionId connectedAt metadata { version commit podNamespace podName } } }
        activityEvents(first: 10) { nodes { kind level agentToken { name } } }
        warnings { code }
      }
    }
  }
}"""


def ask(kas, query, variables=None, token=towline.Kas.TOKEN, method="POST"):
    """Status and answer of a GraphQL request."""
    parameters = {"query": query, "variables": variables or {}}
    url, data = kas.url + "/api/graphql", json.dumps(parameters).encode()
    if method == "GET":
        url += "?" + urllib.parse.urlencode({"query": query, "variables": json.dumps(variables or {})})
        data = None
    request = urllib.request.Request(url, data, method=method)
    if data:
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=30, context=kas.tls()) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def data_of(kas, *arguments, **named):
    status, answer = ask(kas, *arguments, **named)
    assert status == 200 and "errors" not in answer, (status, answer)
    return answer["data"]


def start_pod(system, api, name):
    """An agent that thinks it runs in a pod."""
    agent = towline.Agentk(system.folder, system.address("wss"), system.agent_token, api.kubeconfig(),
                           ca_file=system.kas.ca_file,
                           environment={"POD_NAMESPACE": "gitlab-agent", "POD_NAME": name})
    system.agents.append(agent)
    return agent.wait_ready()


def only_agent(system, method="POST"):
    found = data_of(system.kas, AGENTS, {"path": towline.PROJECT}, method=method)["project"]["clusterAgents"]
    assert found["count"] == 1
    return found["nodes"][0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_connections_of_an_agent_come_and_go(system, api, method):
    assert only_agent(system, method)["connections"]["nodes"] == []
    pod = start_pod(system, api, "agent-1")
    agent = towline.wait_for(lambda: (found := only_agent(system, method))["connections"]["nodes"] and found,
                             "the connection to be listed")
    assert agent["id"] == f"gid://gitlab/Clusters::Agent/{system.agent_id}"
    assert agent["name"] == towline.AGENT
    [connection] = agent["connections"]["nodes"]
    version = subprocess.run([towline.BIN / "agentk", "--version"], check=True, capture_output=True, text=True).stdout
    assert connection["metadata"]["version"].removeprefix("v") in version
    assert connection["metadata"]["podName"] == "agent-1"
    assert connection["metadata"]["podNamespace"] == "gitlab-agent"
    assert connection["connectedAt"].endswith("Z")
    assert agent["warnings"] == []
    [token] = agent["tokens"]["nodes"]
    assert token["id"] == f"gid://gitlab/Clusters::AgentToken/{system.agent_token_id}"
    towline.wait_for(lambda: only_agent(system, method)["tokens"]["nodes"][0]["lastUsedAt"], "the token's use")
    kinds = [event["kind"] for event in agent["activityEvents"]["nodes"]]
    assert {"agent_created", "token_created", "agent_connected"} <= set(kinds)
    pod.stop()
    towline.wait_for(lambda: not only_agent(system, method)["connections"]["nodes"], "the connection to go")


def test_an_agent_lives_its_life_by_mutations(system, api):
    kas = system.kas
    made = data_of(kas, """mutation ($input: CreateClusterAgentInput!) {
        createClusterAgent(input: $input) { clusterAgent { id webPath } errors } }""",
                   {"input": {"projectPath": towline.PROJECT, "name": "second"}})["createClusterAgent"]
    assert made["errors"] == []
    assert made["clusterAgent"]["webPath"] == "/root/demo/-/cluster_agents/second"
    agent = made["clusterAgent"]["id"]
    token = data_of(kas, """mutation ($id: ClustersAgentID!) {
        clusterAgentTokenCreate(input: {clusterAgentId: $id, name: "t"}) { secret token { id } errors } }""",
                    {"id": agent})["clusterAgentTokenCreate"]
    system.agent_token = token["secret"]
    pod = start_pod(system, api, "second-1")
    revoke = "mutation ($id: ClustersAgentTokenID!) { clusterAgentTokenRevoke(input: {id: $id}) { errors } }"
    assert data_of(kas, revoke, {"id": token["token"]["id"]}) == {"clusterAgentTokenRevoke": {"errors": []}}
    towline.wait_for(lambda: not pod.ready(), "the agent to be cut off")
    delete = "mutation ($id: ClustersAgentID!) { clusterAgentDelete(input: {id: $id}) { errors } }"
    assert data_of(kas, delete, {"id": agent}) == {"clusterAgentDelete": {"errors": []}}
    kas.api("GET", f"/projects/root%2Fdemo/cluster_agents/{agent.rsplit('/', 1)[1]}", expect=404)
    actions = [event["action"] for event in kas.api("GET", "/audit_events", expect=200)[1]]
    assert actions[:4] == ["graphql clusterAgentDelete", "graphql clusterAgentTokenRevoke",
                           "graphql clusterAgentTokenCreate", "graphql createClusterAgent"]


def test_who_asks_decides_what_is_seen(system):
    kas = system.kas
    assert data_of(kas, AGENTS, {"path": towline.PROJECT}, token=None) == {"project": None}
    assert data_of(kas, "{ currentUser { username } metadata { version } }", token=None) == {
        "currentUser": None, "metadata": None}
    assert data_of(kas, "{ currentUser { username } }") == {"currentUser": {"username": "root"}}
    status, answer = ask(kas, "{ currentUser { username } }", token="wrong")
    assert (status, answer) == (401, {"errors": [{"message": "Invalid token"}]})
    status, answer = ask(kas, "{ currentUser { username } }", token=system.token)
    assert status == 403 and "scope" in answer["errors"][0]["message"]
    status, answer = ask(kas, "{ currentUser {")
    assert status == 400 and answer["errors"][0]["locations"] == [{"line": 1, "column": 16}]
    data_of(kas, "{ __schema { types { name fields { name type { name ofType { name } } } } } }", token=None)
