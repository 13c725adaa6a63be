// Guessing passwords is slowed down, and the page says for how long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newPage, useBrowser } from "../browser.mjs";

useBrowser();

test("too many wrong passwords make one wait", async () => {
  const page = await newPage();
  await page.goto("/users/sign_in");
  await page.getByLabel("Username or email").fill("root");
  const refusal = page.getByRole("alert");
  for (let i = 0; i < 50; ++i) {
    await page.locator("input[name=password]").fill(`guess ${i}`);
    const answered = page.waitForResponse((response) => response.url().endsWith("/api/v4/session"));
    await page.getByRole("button", { name: "Sign in" }).click();
    if ((await answered).status() === 429) break;
  }
  await refusal.getByText(/Too many attempts\. Try again in \d+ seconds\./).waitFor();
  assert.equal(await page.getByRole("heading", { name: "Sign in" }).count(), 1);
});
