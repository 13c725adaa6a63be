// Who may come in, and the page's own switches.
import assert from "node:assert/strict";
import { test } from "node:test";
import { env, look, newPage, signIn, signedIn, useBrowser } from "../browser.mjs";

useBrowser();

test("a wrong password is refused, and the right one leads to where one wanted to go", async () => {
  const page = await newPage();
  await page.goto("/root/demo/-/clusters");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await look(page, "login");
  await page.getByLabel("Username or email").fill("root");
  await page.locator("input[name=password]").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("Username or password is wrong.").waitFor();
  await look(page, "login-refused");
  await page.locator("input[name=password]").fill(env.TOWLINE_ROOT_PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Kubernetes clusters" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/root/demo/-/clusters");
});

test("the log-in works by keyboard alone", async () => {
  const page = await newPage();
  await page.goto("/");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.keyboard.type("root");
  await page.keyboard.press("Tab");
  await page.keyboard.type(env.TOWLINE_ROOT_PASSWORD);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
});

test("the session outlives a reload and ends by signing out", async () => {
  const page = await signedIn();
  await page.reload();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  const cookies = await page.context().cookies();
  assert.ok(cookies.length > 0 && cookies.every((each) => each.httpOnly && each.secure), JSON.stringify(cookies));
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.context().addCookies(cookies);
  await page.goto("/");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("a session that ends meanwhile leads to the log-in, and back to where one was", async () => {
  const page = await signedIn();
  await page.goto("/root/demo/-/clusters");
  await page.getByRole("heading", { name: "Kubernetes clusters" }).waitFor();
  await page.context().clearCookies();
  await page.getByRole("heading", { name: "Sign in" }).waitFor(); // the view asks every few seconds
  await page.locator("input[name=login]").fill("root");
  await page.locator("input[name=password]").fill(env.TOWLINE_ROOT_PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Kubernetes clusters" }).waitFor();
});

test("another address after the log-in is only one of this server", async () => {
  const page = await newPage();
  await page.goto("/users/sign_in?return_to=//evil.example/");
  await page.locator("input[name=login]").fill("root");
  await page.locator("input[name=password]").fill(env.TOWLINE_ROOT_PASSWORD);
  await page.locator("button[type=submit]").click();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/");
});

test("it speaks the browser's language, or the chosen one, which is remembered", async () => {
  const page = await newPage({ locale: "ja-JP" });
  await page.goto("/");
  await page.getByRole("heading", { name: "サインイン" }).waitFor();
  await look(page, "login-ja");
  assert.equal(await page.getAttribute("html", "lang"), "ja");
  await page.getByLabel("言語").selectOption("English");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await page.getAttribute("html", "lang"), "en");
});

test("it has the preferred colours, or the chosen ones, which are remembered", async () => {
  const page = await newPage({ colorScheme: "dark" });
  await page.goto("/");
  await page.locator("html[data-mantine-color-scheme=dark]").waitFor();
  await page.getByRole("button", { name: "Use light colours" }).click();
  await page.locator("html[data-mantine-color-scheme=light]").waitFor();
  await page.reload();
  await page.locator("html[data-mantine-color-scheme=light]").waitFor();
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "light");
});

test("keyboards can skip the navigation, and every control shows that it has the focus", async () => {
  const page = await newPage();
  await signIn(page);
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "New project");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, "none");
});
