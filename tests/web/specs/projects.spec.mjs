// The list of projects, and making one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { api, look, signedIn, useBrowser } from "../browser.mjs";

useBrowser();

test("projects stand under their namespaces and can be searched", async () => {
  const page = await signedIn();
  const group = page.getByRole("region", { name: "platform/infra" });
  await group.getByRole("link", { name: "clusters" }).waitFor();
  await page.getByRole("region", { name: "root" }).getByRole("link", { name: "demo" }).waitFor();
  await look(page, "projects");
  await page.getByRole("searchbox", { name: "Search projects" }).fill("dem");
  await group.waitFor({ state: "detached" });
  await page.getByText("Projects: 1").waitFor();
  await page.getByRole("searchbox", { name: "Search projects" }).fill("nothing like it");
  await page.getByText("No project matches “nothing like it”.").waitFor();
});

test("a project is made in a group, with a path made from its name", async () => {
  const page = await signedIn();
  await page.getByRole("button", { name: "New project" }).click();
  const dialog = page.getByRole("dialog", { name: "New project" });
  await dialog.getByLabel("Name", { exact: false }).first().fill("My New Project");
  assert.equal(await dialog.getByLabel("Path").inputValue(), "my-new-project");
  await dialog.getByLabel("Namespace").selectOption("platform/infra");
  await dialog.getByLabel("Visibility").selectOption("internal");
  await look(page, "project-new");
  await dialog.getByRole("button", { name: "Create project" }).click();
  await page.getByRole("heading", { name: "My New Project", level: 1 }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/platform/infra/my-new-project");
  await page.getByText("git clone").waitFor();
  await look(page, "project");
  const made = await api("GET", "/projects/platform%2Finfra%2Fmy-new-project");
  assert.equal(made.visibility, "internal");
});

test("why a project cannot be made is said where one stands", async () => {
  const page = await signedIn();
  await page.getByRole("button", { name: "New project" }).click();
  const dialog = page.getByRole("dialog", { name: "New project" });
  await dialog.getByLabel("Name", { exact: false }).first().fill("demo");
  await dialog.getByLabel("Namespace").selectOption("root");
  await dialog.getByRole("button", { name: "Create project" }).click();
  await dialog.getByRole("alert").getByText("taken").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
});

test("an address of nothing says so", async () => {
  const page = await signedIn();
  for (const path of ["/root/none", "/nothing", "/root/demo/-/nothing", "/root/demo/-/cluster_agents/999"]) {
    await page.goto(path);
    await page.getByText("There is nothing at this address").waitFor();
  }
  await look(page, "not-found");
});

test("following a link leads the focus to the new view", async () => {
  const page = await signedIn();
  await page.getByRole("link", { name: "demo" }).click();
  await page.getByRole("heading", { name: "demo", level: 1 }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  assert.equal(await page.title(), "demo · Towline");
});

test("copying works where browsers offer no clipboard", async () => {
  const page = await signedIn();
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await page.goto("/root/demo");
  const command = await page.getByRole("group", { name: "Clone with Git" }).textContent();
  await page.getByRole("button", { name: "Copy: Clone with Git" }).click();
  await page.getByText("Copied").waitFor();
  await page.goto("/");
  await page.getByRole("searchbox").focus();
  await page.keyboard.press("Control+V");
  assert.equal(await page.getByRole("searchbox").inputValue(), command);
});
