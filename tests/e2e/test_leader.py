"""One of an agent's pods leads: the holder of a Lease, which goes with the release."""

import json
import re
import urllib.request

import towline


class Lease:
    def __init__(self, release):
        self.direct, self.name = release.direct, f"agent-{release.system.agent_id}-lock"

    def read(self):
        result = self.direct.run("get", "lease", self.name, "-o", "json", check=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def holder(self):
        """The pod that leads; empty: none does."""
        lease = self.read()
        return ((lease or {}).get("spec", {}).get("holderIdentity") or "").rsplit("_", 1)[0]


def leaders(release):
    """Pods that say of themselves that they lead."""
    pods = json.loads(release.direct.out("get", "pods", "-o", "json"))["items"]
    found = []
    for pod in pods:
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:8080/metrics", timeout=10) as response:
            if re.search(r"^agentk_leader 1", response.read().decode(), re.M):
                found.append(pod["metadata"]["name"])
    return found


def events(release, reason):
    items = json.loads(release.direct.out("get", "events", "-o", "json"))["items"]
    return [each for each in items if each["reason"] == reason and each["source"].get("component") == "agentk"]


def test_one_pod_leads_another_takes_over_and_the_lease_goes_with_the_release(release):
    # With the rights that the chart gives, and not those of an administrator.
    release.install("--set", "rbac.useExistingRole=view", replicas=2)
    release.ready(2)
    lease = Lease(release)
    towline.wait_for(lambda: lease.holder() in release.pods(), "a pod to lead")
    first = lease.holder()
    towline.wait_for(lambda: leaders(release) == [first], "its metric to say so")
    owner = lease.read()["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("Deployment", "agent-gitlab-agent-v2")

    # A push is told of once, though both pods apply it.
    release.system.kas.write_config(release.system.CONFIG + "observability:\n  logging:\n    level: debug\n")
    towline.wait_for(lambda: events(release, "ConfigurationApplied"), "the event")
    applied = events(release, "ConfigurationApplied")
    assert len(applied) == 1 and applied[0]["involvedObject"]["name"] == "agent-gitlab-agent-v2"
    assert "root/demo" in applied[0]["message"]

    # A leader that stops hands over; the lease is not waited for.
    release.direct.run("delete", "pod", first, "--wait=false")
    towline.wait_for(lambda: lease.holder() not in ("", first), "another pod to lead")
    assert lease.holder() in release.pods()
    towline.wait_for(lambda: len(events(release, "LeaderElection")) == 2, "both to have told of themselves")

    # And so does the next when one dies without a word.
    release.ready(2)
    second = lease.holder()
    release.direct.run("delete", "pod", second, "--grace-period=0", "--force", "--wait=false")
    towline.wait_for(lambda: lease.holder() not in ("", second), "another pod to lead", 90)

    release.uninstall()
    towline.wait_for(lambda: lease.read() is None, "the lease to be gone", 90)


def test_without_the_right_to_leases_requests_pass_and_the_log_says_what_is_missing(release):
    release.install("--set", "rbac.create=false")
    release.ready()
    towline.wait_for(lambda: "leases.coordination.k8s.io" in release.log(), "the log to say what is missing")
    assert release.system.request("/version")[0] == 200
    assert release.log().count("the lease that decides which pod leads cannot be had") == 1
