// One's own access tokens.
import assert from "node:assert/strict";
import { test } from "node:test";
import { URL_OF_SERVER, env, look, newPage, signedIn, useBrowser } from "../browser.mjs";

useBrowser();

const statusWith = async (token) =>
  (await fetch(`${URL_OF_SERVER}/api/v4/user`, { headers: { "PRIVATE-TOKEN": token } })).status;

test("a token is made with scopes and an end, works, and is revoked", async () => {
  const page = await signedIn({}, "dev", env.TOWLINE_DEV_PASSWORD);
  await page.getByRole("link", { name: "Personal access tokens" }).click();
  await page.getByText("You have no active token.").waitFor();
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog", { name: "New token" });
  await dialog.getByRole("button", { name: "Create token" }).click();
  await dialog.getByText("This is needed.").waitFor();
  await dialog.getByText("Choose a scope at least.").waitFor();
  await look(page, "access-token-new");
  await dialog.getByLabel("Name", { exact: false }).first().fill("laptop");
  await dialog.getByRole("checkbox", { name: "read_api" }).check();
  await dialog.getByRole("checkbox", { name: "k8s_proxy" }).check();
  const day = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
  await dialog.getByLabel("Expires on").fill(day);
  await dialog.getByRole("button", { name: "Create token" }).click();
  const done = page.getByRole("dialog", { name: "Token laptop is made" });
  const token = (await done.getByRole("group", { name: "Access token" }).textContent()).trim();
  await done.getByRole("button", { name: "Close" }).last().click();

  const row = page.getByRole("row", { name: /laptop/ });
  await row.getByText("read_api, k8s_proxy").waitFor();
  await row.getByText(day).waitFor();
  await look(page, "access-tokens");
  assert.equal(await statusWith(token), 200);
  await row.getByRole("button", { name: "Revoke laptop" }).click();
  await page.getByRole("dialog", { name: "Revoke token laptop?" }).getByRole("button", { name: "Revoke" }).click();
  await page.getByText("You have no active token.").waitFor();
  assert.equal(await statusWith(token), 401);
});

test("it is the same in Japanese", async () => {
  const page = await signedIn({ locale: "ja-JP" });
  await page.getByRole("link", { name: "個人アクセストークン" }).click();
  await page.getByRole("heading", { name: "個人アクセストークン" }).waitFor();
  await look(page, "access-tokens-ja");
  await page.goto("/root/demo/-/clusters");
  await page.getByRole("button", { name: "クラスターを接続" }).click();
  await page.getByRole("combobox", { name: "エージェントの名前" }).fill("Bad");
  await page.getByText("大文字は使えません").waitFor();
  await look(page, "connect-ja");
});

test("it fits a telephone", async () => {
  const page = await newPage({ viewport: { width: 360, height: 740 } });
  await page.goto("/");
  await page.locator("input[name=login]").fill("root");
  await page.locator("input[name=password]").fill(env.TOWLINE_ROOT_PASSWORD);
  await page.locator("button[type=submit]").click();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  for (const path of ["/", "/root/demo/-/clusters", "/-/user_settings/personal_access_tokens"]) {
    await page.goto(path);
    await page.locator("h1").waitFor();
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wider <= 0, `${path} is ${wider} pixels wider than the window`);
  }
  await look(page, "telephone");
});
