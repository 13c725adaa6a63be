// Connecting a cluster, and watching it live.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startAgent } from "../agent.mjs";
import { configure, env, look, signedIn, useBrowser } from "../browser.mjs";

useBrowser();

const CLUSTERS = "/root/demo/-/clusters";
const GOOD = "user_access:\n  access_as:\n    agent: {}\n  projects:\n    - id: root/demo\n";

async function openDialog(page) {
  await page.goto(CLUSTERS);
  await page.getByRole("button", { name: "Connect a cluster" }).click();
  const dialog = page.getByRole("dialog", { name: "Connect a cluster" });
  await dialog.getByText("1 to 63 of a-z").waitFor();
  return dialog;
}

test("a cluster is connected with what the page gives, and seen without a reload", async () => {
  const page = await signedIn();
  await page.goto(CLUSTERS);
  await page.getByText("No cluster is connected to this project yet.").waitFor();
  await look(page, "clusters-none");

  const dialog = await openDialog(page);
  await dialog.getByText("Names with a configuration file: offered").waitFor();
  await dialog.getByRole("combobox", { name: "Name of the agent" }).fill("off");
  await page.getByRole("option", { name: "offered" }).click();
  await look(page, "connect");
  await dialog.getByRole("button", { name: "Register the agent" }).click();

  const done = page.getByRole("dialog", { name: "Agent offered is registered" });
  const token = (await done.getByRole("group", { name: "Access token" }).textContent()).trim();
  assert.match(token, /^glagent-\S{20,}$/);
  const command = await done.getByRole("group", { name: "Recommended installation" }).textContent();
  assert.match(command, /helm upgrade --install/);
  assert.ok(command.includes(token));
  await done.getByRole("button", { name: "Copy: Access token" }).click();
  await done.getByText("Copied").first().waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), token);
  await done.getByRole("button", { name: "Copy: Recommended installation" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
  await look(page, "connected-once");
  await done.getByRole("button", { name: "Close" }).last().click();
  assert.ok(!(await page.content()).includes(token));

  const row = page.getByRole("row", { name: /offered/ });
  await row.getByText("Never connected").waitFor();
  await row.getByText(".gitlab/agents/offered/config.yaml", { exact: true }).waitFor();
  await row.getByText("Valid").waitFor();

  await page.evaluate(() => (window.notReloaded = true));
  const agent = await startAgent(token);
  await row.getByText("Connected", { exact: true }).waitFor();
  await row.locator("time").waitFor();
  assert.match(await row.locator("time").getAttribute("title"), /\d{4}/);
  await look(page, "clusters-connected");

  await configure("offered", "user_access:\n  projects: nonsense\n");
  await row.getByText("Broken").waitFor();
  await row.getByText(".gitlab/agents/offered/config.yaml:2:13: ").waitFor();
  await look(page, "clusters-broken");
  await configure("offered", GOOD);
  await row.getByText("Valid").waitFor();

  await agent.stop();
  await row.getByText("Not connected").waitFor();
  assert.equal(await page.evaluate(() => window.notReloaded), true);
});

test("the rule for names is said as one types", async () => {
  const page = await signedIn();
  const dialog = await openDialog(page);
  const name = dialog.getByRole("combobox", { name: "Name of the agent" });
  for (const [text, problem] of [
    ["My-agent", "Upper-case letters are not allowed"],
    ["my_agent", "Only a-z, 0-9 and “-” are allowed."],
    ["-agent", "It must start with a letter or a digit."],
    ["agent-", "It must end with a letter or a digit."],
    ["a".repeat(64), "The name has 64 characters; 63 is the most."],
  ]) {
    await name.fill(text);
    await dialog.getByText(problem).waitFor();
    assert.equal(await name.getAttribute("aria-invalid"), "true");
  }
  await look(page, "connect-invalid");
  await dialog.getByRole("button", { name: "Register the agent" }).click();
  assert.equal(await page.getByRole("dialog", { name: "Connect a cluster" }).count(), 1);
  await name.fill("a".repeat(63));
  await dialog.getByText("63 is the most").waitFor({ state: "detached" });
});

test("an agent without a file has the default configuration", async () => {
  const page = await signedIn();
  const dialog = await openDialog(page);
  await dialog.getByRole("combobox", { name: "Name of the agent" }).fill("plain");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "Agent plain is registered" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("row", { name: /plain/ }).getByText("Default").waitFor();
});

test("who may not change agents sees them, but no button", async () => {
  const page = await signedIn({}, "dev", env.TOWLINE_DEV_PASSWORD);
  await page.goto(CLUSTERS);
  await page.getByRole("link", { name: "plain" }).waitFor();
  await page.getByText("Connecting clusters takes the maintainer role").waitFor();
  assert.equal(await page.getByRole("button", { name: "Connect a cluster" }).count(), 0);
  await page.getByRole("link", { name: "plain" }).click();
  await page.getByRole("heading", { name: "plain", level: 1 }).waitFor();
  await page.getByRole("table").waitFor();
  for (const name of ["Delete agent", "New token", /^Revoke/]) {
    assert.equal(await page.getByRole("button", { name }).count(), 0);
  }
});

test("who may not see agents is told why", async () => {
  const page = await signedIn({}, "dev", env.TOWLINE_DEV_PASSWORD);
  await page.goto("/platform/infra/clusters/-/clusters");
  await page.getByText("Seeing agents takes the developer role").waitFor();
});

test("pods of other versions than the server's and each other's are warned of", async () => {
  const page = await signedIn();
  await page.goto("/platform/infra/clusters/-/clusters");
  const row = page.getByRole("row", { name: /fleet/ });
  await row.getByText("v9.9.0").first().waitFor();
  await row.getByText("Pods differ in version").waitFor();
  await row.getByText("Version does not match the server").waitFor();
  await look(page, "clusters-versions");
});
