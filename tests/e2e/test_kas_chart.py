"""kas in a pod: its own image, installed by real Helm from chart/towline, on a real node."""

import contextlib
import json
import os
import pathlib
import re
import secrets

import pytest
import yaml

import node
import postgres
import towline
from kas_release import CHART, Authority, Connected, Server, Volume, nginx_location
from release import HELMS, HOST, Helm

# What a shell without any program can do to show a file.
SHOW = 'while read -r line; do echo "$line"; done <'


@pytest.fixture(scope="module")
def tag(cluster, tmp_path_factory):
    """The tag of the server's image in the node, this run's own."""
    name = f"test-{secrets.token_hex(4)}"
    node.import_image("kas", tmp_path_factory.mktemp("image"), tag=name)
    yield name
    node.remove_image(f"localhost/towline/kas:{name}")


@pytest.fixture(scope="module")
def make_server(cluster, direct, tag, tmp_path_factory):
    """Makes servers, with the Helm that is named."""
    with contextlib.ExitStack() as stack:
        def make(helm="TOWLINE_HELM"):
            folder = pathlib.Path(tmp_path_factory.mktemp("server"))
            made = Server(Helm(cluster[helm], folder / "helm", cluster["KUBECONFIG"]), direct, folder, tag)
            stack.callback(made.remove)
            return made
        yield make


@pytest.fixture(scope="module")
def make_volume(direct, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        def make():
            made = Volume(direct, tmp_path_factory.mktemp("volume") / "data", f"kas-{secrets.token_hex(4)}")
            stack.callback(made.remove)
            return made
        yield make


@pytest.fixture(scope="module")
def lasting(make_server, make_volume):
    """A server on a volume, as the defaults have it, with root/demo and an agent; `notes` are what Helm said."""
    server = make_server()
    server.volume = make_volume()
    server.notes = server.install(*server.volume.options())
    server.trust(server.notes)
    server.agent_name = f"agent-{secrets.token_hex(4)}"
    server.system = Connected(server.folder, server, server.agent_name)
    return server


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_the_chart_passes_lint(helm):
    helm.run("lint", "--strict", CHART)


REFUSED = {
    "replicas=2": r"replicas: only 0 or 1 .* because .* one data folder",
    "replicas=many": r"replicas.*integer",
    "replica=1": r"replica.* not allowed",
    "tls.secret=a": r"tls.*secret.* not allowed",
    "externalUrl=kas.example.com": r"externalUrl: must be https://HOST .*kas\.example\.com",
    "externalUrl=https://kas.example.com/path": r"externalUrl: .* without a path",
    "service.type=Any": r"service.type.*must be one of.*ClusterIP",
    "persistence.size=large": r"persistence.size",
    "database.url=a,database.existingSecret=b": r"database.url and database.existingSecret: only one",
    "persistence.enabled=false,persistence.existingClaim=a": r"persistence.existingClaim: is not used",
    "tls.offloaded=true,tls.secretName=a": r"tls.offloaded and tls.secretName: ",
    "ingress.enabled=true": r"ingress.hostname: is needed",
}


@pytest.mark.parametrize("helm", HELMS, indirect=True)
def test_wrong_values_are_refused_with_their_names(helm):
    for values, expected in REFUSED.items():
        result = helm.run("template", "towline", CHART, "--set", values, check=False)
        said = result.stderr.replace("/", ".")
        assert result.returncode != 0 and re.search(expected.replace("/", "."), said, re.S), f"{values}: {said}"


def test_the_notes_lead_to_root_and_the_ca(lasting):
    password = lasting.follow(lasting.notes, ".data.password")
    session = lasting.api("POST", "/session", {"login": "root", "password": password}, expect=201)[1]
    assert session["user"]["username"] == "root"
    assert lasting.ca_file.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert "WARNING" not in lasting.notes


def test_the_pod_has_no_rights_and_writes_to_its_volume_alone(lasting):
    status = lasting.shell(SHOW + "/proc/1/status").stdout.decode()
    assert re.search(r"^Uid:\s1000\s1000\s1000\s1000$", status, re.M)
    assert set(re.findall(r"^Cap\w+:\s(\w+)$", status, re.M)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\s1$", status, re.M) and re.search(r"^Seccomp:\s2$", status, re.M)
    for folder in ("/", "/etc", "/tmp", "/usr/bin", "/etc/towline/root"):
        assert lasting.shell(f"echo x >{folder}/x", check=False).returncode != 0, folder
    lasting.shell("echo x >/var/lib/towline/x")
    assert (lasting.volume.folder / "x").read_text() == "x\n"
    assert lasting.shell("[ -e /var/run/secrets ]", check=False).returncode != 0
    account = json.loads(lasting.direct.out("get", "serviceaccount", "towline", "--output", "json"))
    assert account["automountServiceAccountToken"] is False
    assert lasting.direct.run("auth", "can-i", "--list", "--as", f"system:serviceaccount:{lasting.namespace}:towline",
                              "--no-headers").stdout.decode().count("[create]") <= 2  # of what everybody may


def test_git_works_in_the_pod(lasting):
    copy = lasting.clone("copy")
    (copy / "large").write_bytes(os.urandom(3_000_000))
    lasting.git("add", ".", folder=copy)
    lasting.git("commit", "--quiet", "--message", "Large", folder=copy)
    # Git of Debian 12 (curl 7.88 with GnuTLS) garbles some long uploads over HTTP/2 on networks with packets of 1500
    # bytes, over HTTP/1.1 none: docs/control-plane.md.
    lasting.git("config", "http.version", "HTTP/1.1", folder=copy)
    lasting.git("push", "--quiet", "origin", "main", "main:topic", folder=copy)
    lasting.git("commit", "--quiet", "--amend", "--message", "Again", folder=copy)
    # The hook runs, and only for branches that are protected.
    refused = lasting.git("push", "--force", "origin", "main", folder=copy, check=False)
    assert "You are not allowed to force push" in refused.stderr
    lasting.git("push", "--quiet", "--force", "origin", "main:topic", folder=copy)
    assert (lasting.clone("second") / "large").read_bytes() == (copy / "large").read_bytes()
    # What git does by itself after many pushes.
    lasting.shell("cd /var/lib/towline/data/repositories/@hashed/*/*/*.git && "
                  "git -c safe.directory=* gc --quiet && git -c safe.directory=* fsck")


@pytest.fixture(scope="module")
def through(lasting, image, make_kubectl):
    """kubectl through an agent in the same cluster, which the commands that the server shows have installed."""
    namespace = f"gitlab-agent-{lasting.agent_name}"
    try:
        lasting.helm.shell(lasting.system.made["installation"]["text"])
        yield make_kubectl(lasting.system.kubeconfig())
    finally:
        lasting.helm.run("uninstall", lasting.agent_name, "--namespace", namespace, check=False)
        lasting.direct.run("delete", "namespace", namespace, "--wait=false", check=False)


def passes(kubectl):
    return kubectl.run("get", "namespaces", check=False).returncode == 0


def test_an_agent_of_the_same_cluster_connects_and_kubectl_goes_through(lasting, through):
    towline.wait_for(lambda: passes(through), "a request to go through the agent", 90)
    assert "kube-system" in through.out("get", "namespaces")
    # What was added for that installation serves this chart, too.
    assert "name: towline" in lasting.helm.run("show", "chart", "towline/towline").stdout


def test_an_upgrade_keeps_root_the_data_and_the_agents(lasting, through):
    towline.wait_for(lambda: passes(through), "a request to go through the agent", 90)
    secret = lasting.direct.out("get", "secret", "towline-root", "--output", "jsonpath={.data}")
    before, project = lasting.pod(), lasting.api("GET", "/projects/root%2Fdemo", expect=200)[1]
    lasting.install(*lasting.volume.options(), "--set", "extraArgs={--log-level=debug}")
    after = lasting.pod()
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert "--log-level=debug" in after["spec"]["containers"][0]["args"]
    assert lasting.direct.out("get", "secret", "towline-root", "--output", "jsonpath={.data}") == secret
    assert lasting.api("GET", "/projects/root%2Fdemo", expect=200)[1]["id"] == project["id"]
    assert (lasting.clone("upgraded") / ".gitlab").is_dir()
    towline.wait_for(lambda: passes(through), "the agent to be back", 60)


def commands_of_the_backup(server):
    """What the documentation says, for this server's namespace, with an image that the node has."""
    text = (towline.REPOSITORY / "docs/kas-in-kubernetes.md").read_text().split("## Backup")[1].split("## ")[0]
    block = re.search(r"```sh\n(.*?)```", text, re.S).group(1)
    restore = re.search(r"`(kubectl exec --stdin [^`]*)`", text).group(1)
    block = block.replace("--namespace towline", f"--namespace {server.namespace}")
    return block.replace("image: busybox", "image: localhost/towline-test:dev"), restore


def test_a_backup_as_documented_is_restored_to_an_empty_volume(lasting):
    backup, restore = commands_of_the_backup(lasting)
    # The commands set the namespace in a kubeconfig of their own.
    copy = lasting.helm.folder / "kubeconfig"
    copy.write_text(pathlib.Path(lasting.helm.environment["KUBECONFIG"]).read_text())
    lasting.helm.environment["KUBECONFIG"] = str(copy)
    project = lasting.api("GET", "/projects/root%2Fdemo", expect=200)[1]
    save = next(line for line in backup.splitlines() if "tar -C" in line)
    lasting.helm.shell(backup)
    lasting.serves()
    lasting.api("DELETE", "/projects/root%2Fdemo", expect=202)
    lasting.helm.shell(backup.replace(save, "kubectl exec towline-backup -- rm -rf /volume/data\n" + restore))
    lasting.serves()
    assert lasting.api("GET", "/projects/root%2Fdemo", expect=200)[1]["id"] == project["id"]
    assert (lasting.clone("restored") / ".gitlab").is_dir()


def test_uninstalling_leaves_the_claim_and_a_new_release_takes_it_up(make_server, make_volume):
    server, volume = make_server("TOWLINE_HELM3"), make_volume()
    server.trust(server.install(*volume.options()))
    server.create_project()
    server.helm.run("uninstall", "towline", "--namespace", server.namespace)
    towline.wait_for(lambda: server.left() <= {"persistentvolumeclaim/data-towline-0"}, "the release to be gone", 90)
    assert server.left() == {"persistentvolumeclaim/data-towline-0"}
    notes = server.install(*volume.options())
    assert "The volume claim data-towline-0 was there before" in notes
    # The CA is that of before, and so are root and its token.
    server.api("GET", "/projects/root%2Fdemo", expect=200)


@pytest.fixture
def database(cluster):
    """A PostgreSQL on this machine, with a role and a database; pods reach it."""
    server = postgres.Postgres(address=HOST, network="198.18.0.0/16")
    server.create_database("towline")
    yield server
    server.remove()


def terminated(server):
    """Why the server's last try ended, as the pod's status says it."""
    states = server.pod()["status"].get("containerStatuses", [{}])[0]
    return json.dumps([states.get("state"), states.get("lastState")])


def test_postgresql_keeps_the_records_and_a_wrong_url_is_said_and_mended(make_server, database):
    server = make_server()
    url = database.url("towline", "towline").replace("127.0.0.1", HOST)
    server.install("--set", "persistence.enabled=false", "--set-string",
                   f"database.url={url.replace(database.QUOTED, 'wrong')}", wait=False)
    towline.wait_for(lambda: "password authentication failed" in terminated(server), "the pod to say why it ended", 60)
    assert "wrong@" not in terminated(server)
    server.direct.run("create", "secret", "generic", "my-database", f"--from-literal=url={url}")
    mended = ("--set", "persistence.enabled=false", "--set", "database.existingSecret=my-database")
    broken = server.pod()["metadata"]["uid"]
    server.install(*mended, wait=False)
    # Nobody has to delete the pod that cannot start. A kubelet of 1.20 takes a minute over it, which need not be
    # waited for.
    towline.wait_for(lambda: "deletionTimestamp" in server.pod()["metadata"]
                     or server.pod()["metadata"].get("uid") != broken, "the broken pod to be replaced")
    server.direct.run("delete", "pod", "towline-0", "--force", "--grace-period=0", "--wait=false")
    notes = server.install(*mended)
    assert "WARNING: persistence.enabled=false" in notes
    server.trust(notes)
    server.create_project()
    assert database.sql("SELECT count(*) FROM projects", "towline") == "1"


def test_tls_of_a_secret_and_its_renewal_without_a_restart(make_server, tmp_path):
    server, authority = make_server(), Authority(tmp_path)
    server.direct.run("apply", "--filename", "-", input=authority.secret("kas-tls"))
    notes = server.install("--set", "persistence.enabled=false", "--set", "tls.secretName=kas-tls", "--set",
                           "externalCa.secretName=kas-tls", "--set", "service.externalTrafficPolicy=Local")
    assert "ca.pem" not in notes
    server.take_token()
    server.ca_file = tmp_path / "ca.crt"
    assert server.certificate() == authority.certificate()
    # Whoever installs an agent is told of this CA, and of nothing else in the Secret.
    text = Connected(tmp_path, server, "demo").made["installation"]["text"]
    assert (tmp_path / "ca.crt").read_text().strip() in text and "--ca-file ca.pem" in text
    assert "PRIVATE KEY" not in text
    # Service and node hand on clients' addresses.
    assert f'"address":"{HOST}"' in server.direct.out("logs", "towline-0")
    before = server.pod()
    server.direct.run("apply", "--filename", "-", input=authority.secret("kas-tls"))
    # The kubelet writes mounted Secrets anew once a minute, and at once when something about the pod changes.
    server.direct.run("annotate", "pod", "towline-0", "renewed=yes")
    towline.wait_for(lambda: server.certificate() == authority.certificate(), "the new certificate to be shown", 150)
    assert server.pod()["metadata"]["uid"] == before["metadata"]["uid"]
    assert server.pod()["status"]["containerStatuses"][0]["restartCount"] == 0
    server.api("GET", "/projects/root%2Fdemo", expect=200)


EVERYTHING = """
networkPolicy: {enabled: true, observabilityFrom: [{namespaceSelector: {}}]}
podDisruptionBudget: {enabled: true}
listenHost: "[::]"
additionalLabels: {team: platform}
podLabels: {role: server}
agentImage: registry.example.com/agentk
outboundAllow: [10.1.0.0/16, "agent.example.com:443"]
trustedProxies: [10.244.0.0/16]
hostAliases: [{ip: 192.0.2.1, hostnames: [db.example.com]}]
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: dedicated, operator: Exists}]
affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}
topologySpreadConstraints: []
extraEnv: [{name: PGAPPNAME, value: towline}]
extraArgs: [--max-requests-per-agent=100]
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
initContainers: [{name: first, image: "localhost/towline-test:dev", command: ["true"]}]
resources: {limits: {memory: 512Mi}}
extraManifests:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: "{{ .Release.Name }}-more"}, data: {a: b}}
persistence: {enabled: false}
ingress: {enabled: true, hostname: kas.example.com, className: nginx, annotations: {mine: "1"}}
"""


@pytest.fixture
def behind(make_server, tmp_path):
    """A server with all that can be switched on, behind an ingress that ends TLS: nginx, set as the Ingress says."""
    server = make_server()
    values = tmp_path / "values.yaml"
    values.write_text(EVERYTHING)
    text = server.helm.run("template", "towline", CHART, "--values", values, "--show-only",
                           "templates/ingress.yaml").stdout
    nginx = towline.Upstream(tmp_path, nginx_location(yaml.safe_load(text), server))
    server.url, server.ca_file = f"https://localhost:{nginx.port}", nginx.ca_file
    server.notes = server.install("--values", values)
    server.take_token()
    yield server
    nginx.stop()


def test_everything_behind_an_ingress_that_ends_tls(behind, cluster, make_kubectl, tmp_path):
    system = Connected(tmp_path, behind, "demo")
    # Whose certificate clients see there is not the server's business.
    commands = system.made["installation"]["text"]
    assert "ca.pem" not in commands and "ca.pem" not in behind.notes
    assert "image.repository=registry.example.com/agentk" in commands
    agent = towline.Agentk(tmp_path, f"wss://localhost:{behind.url.split(':')[-1]}/-/kubernetes-agent/",
                           system.agent_token, cluster["KUBECONFIG"], ca_file=behind.ca_file)
    try:
        agent.wait_ready()
        through = make_kubectl(system.kubeconfig())
        assert "kube-system" in through.out("get", "namespaces")
    finally:
        agent.stop()
    copy = behind.clone("copy")
    (copy / "large").write_bytes(os.urandom(3_000_000))
    behind.git("add", ".", folder=copy)
    behind.git("commit", "--quiet", "--message", "Large", folder=copy)
    behind.git("push", "--quiet", "origin", "main", folder=copy)
    ingress = json.loads(behind.direct.out("get", "ingress", "towline", "--output", "json"))
    assert ingress["spec"]["tls"] == [{"hosts": ["kas.example.com"]}]
    assert ingress["metadata"]["annotations"]["mine"] == "1"
    assert {"networkpolicy.networking.k8s.io/towline", "poddisruptionbudget.policy/towline"} <= behind.left()
    behind.direct.run("get", "configmap", "towline-more")
    pod = behind.pod()
    assert pod["metadata"]["labels"]["role"] == "server" and pod["metadata"]["labels"]["team"] == "platform"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 75
    assert {"--outbound-allow=agent.example.com:443", "--trusted-proxy=10.244.0.0/16"} <= set(pod["spec"]["containers"][0]["args"])
    metrics = behind.direct.out(
        "get", "--raw", f"/api/v1/namespaces/{behind.namespace}/pods/towline-0:8151/proxy/metrics")
    assert "kas_agents_connected" in metrics
