// The page of one agent: its tokens, what happened, its configuration and its pods.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { startAgent } from "../agent.mjs";
import { api, configure, look, signedIn, useBrowser } from "../browser.mjs";

useBrowser();

const AGENTS = "/projects/root%2Fdemo/cluster_agents";
const GOOD = "user_access:\n  access_as:\n    agent: {}\n  projects:\n    - id: root/demo\n";
let id;
let address;

before(async () => {
  await configure("main", GOOD);
  ({ id } = await api("POST", AGENTS, { name: "main" }));
  address = `/root/demo/-/cluster_agents/${id}`;
});

async function openTab(page, name) {
  await page.goto(address);
  await page.getByRole("tab", { name }).click();
  return page.getByRole("tabpanel", { name });
}

test("tokens are made, shown once, and revoked", async () => {
  const page = await signedIn();
  const panel = await openTab(page, "Access tokens");
  await panel.getByText("This agent has no active token").waitFor();
  await panel.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog", { name: "New token" });
  await dialog.getByLabel("Name", { exact: false }).first().fill("first");
  await dialog.getByLabel("Description").fill("for the tests");
  await dialog.getByRole("button", { name: "Create token" }).click();
  const done = page.getByRole("dialog", { name: "Token first is made" });
  const token = (await done.getByRole("group", { name: "Access token" }).textContent()).trim();
  await done.getByRole("button", { name: "Close" }).last().click();
  const row = panel.getByRole("row", { name: /first/ });
  await row.getByText("for the tests").waitFor();
  await row.getByText("never").waitFor();

  const agent = await startAgent(token);
  await row.getByText("never").waitFor({ state: "detached" });
  await look(page, "agent-tokens");

  await api("POST", `${AGENTS}/${id}/tokens`, { name: "second" });
  await panel.getByText("An agent has at most two active tokens").waitFor();
  assert.ok(await panel.getByRole("button", { name: "New token" }).isDisabled());

  await panel.getByRole("button", { name: "Revoke first" }).click();
  const question = page.getByRole("dialog", { name: "Revoke token first?" });
  await look(page, "agent-revoke");
  await question.getByRole("button", { name: "Revoke" }).click();
  await row.waitFor({ state: "detached" });
  await page.getByText("Not connected").waitFor();
  await agent.stop();
});

test("a week's activity names what happened and who did it", async () => {
  const page = await signedIn();
  const panel = await openTab(page, "Activity");
  for (const text of ["Agent registered", "Token made", "Token revoked", "Connected", "Disconnected"]) {
    await panel.getByText(text, { exact: true }).first().waitFor();
  }
  await panel.getByText("by Administrator").first().waitFor();
  await panel.getByText("Token: first").first().waitFor();
  await look(page, "agent-activity");
});

test("the configuration is shown with its verdict, and the line at fault is marked", async () => {
  const page = await signedIn();
  const panel = await openTab(page, "Configuration");
  await panel.getByText("The configuration is in force.").waitFor();
  await panel.getByText(".gitlab/agents/main/config.yaml", { exact: true }).waitFor();
  await panel.getByText(/^[0-9a-f]{40}$/).waitFor();
  await panel.getByText("- id: root/demo").waitFor();
  await look(page, "agent-configuration");
  await configure("main", "user_access:\n  projects: nonsense\n");
  await panel.getByText("The configuration is broken.").waitFor();
  await panel.getByText(".gitlab/agents/main/config.yaml:2:13: ").waitFor();
  assert.deepEqual(await panel.locator("[data-fault]").allTextContents(), ["2  projects: nonsense"]);
  await look(page, "agent-configuration-broken");
  await configure("main", GOOD);
  await panel.getByText("The configuration is in force.").waitFor();
});

test("connected pods come and go", async () => {
  const page = await signedIn();
  const panel = await openTab(page, "Connected pods");
  await panel.getByText("No pod of this agent is connected.").waitFor();
  const tokens = await api("GET", `${AGENTS}/${id}/tokens`);
  await Promise.all(tokens.map((token) => api("DELETE", `${AGENTS}/${id}/tokens/${token.id}`)));
  const { token } = await api("POST", `${AGENTS}/${id}/tokens`, { name: "third" });
  const agent = await startAgent(token);
  const row = panel.getByRole("row", { name: /agent-0/ });
  await row.getByText("towline", { exact: true }).waitFor();
  await row.getByText(/^v?\d+\.\d+\.\d+/).waitFor();
  await look(page, "agent-pods");
  await agent.stop();
  await panel.getByText("No pod of this agent is connected.").waitFor();
});

test("deleting takes the agent's name", async () => {
  const page = await signedIn();
  await page.goto(address);
  await page.getByRole("button", { name: "Delete agent" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete agent main?" });
  const submit = dialog.getByRole("button", { name: "Delete agent" });
  await dialog.getByLabel("Type main to confirm").fill("mai");
  assert.ok(await submit.isDisabled());
  await look(page, "agent-delete");
  await dialog.getByLabel("Type main to confirm").fill("main");
  await submit.click();
  await page.getByText("No cluster is connected to this project yet.").waitFor();
  assert.equal(new URL(page.url()).pathname, "/root/demo/-/clusters");
  assert.deepEqual(await api("GET", AGENTS), []);
});
