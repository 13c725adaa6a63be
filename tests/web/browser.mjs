// A browser for the specs. Whatever they do in it, it is an error when the page asks another host for something,
// when it breaks the Content-Security-Policy or when a script throws.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, afterEach, before } from "node:test";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = require("axe-core").source;

export const env = process.env;
export const URL_OF_SERVER = env.TOWLINE_URL;
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser;
const contexts = [];
const faults = [];

/** Call once in a spec: starts the browser, and looks after each test whether the page behaved. */
export function useBrowser() {
  before(async () => {
    browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGUMENTS });
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    assert.deepEqual(faults.splice(0), []);
  });
  after(() => browser.close());
}

/** A page of a browser that nobody has used before. `lenient`: the spec itself looks for faults. */
export async function newPage({ locale = "en-US", colorScheme = "light", lenient = false, ...options } = {}) {
  const context = await browser.newContext({
    baseURL: URL_OF_SERVER,
    ignoreHTTPSErrors: true, // the server's own CA
    locale,
    colorScheme,
    permissions: ["clipboard-read", "clipboard-write"],
    viewport: { width: 1200, height: 800 },
    ...options,
  });
  contexts.push(context);
  context.setDefaultTimeout(30_000);
  if (!lenient) await watchForFaults(context);
  return context.newPage();
}

async function watchForFaults(context) {
  await context.exposeFunction("reportFault", (fault) => faults.push(fault));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      window.reportFault(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
    });
  });
  context.on("request", (request) => {
    const origin = new URL(request.url()).origin;
    if (origin !== URL_OF_SERVER && origin !== "null") faults.push(`asks another host: ${request.url()}`);
  });
  context.on("weberror", (error) => faults.push(`throws: ${error.error().message}`));
  context.on("console", (message) => {
    if (/Content Security Policy/.test(message.text())) faults.push(message.text());
  });
}

export async function signIn(page, login = "root", password = env.TOWLINE_ROOT_PASSWORD) {
  await page.goto("/users/sign_in");
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill(password);
  await page.locator("button[type=submit]").click();
  await page.waitForURL("/");
}

/** A page on which root, or who is named, is signed in. */
export async function signedIn(options = {}, login, password) {
  const page = await newPage(options);
  await signIn(page, login, password);
  return page;
}

/** Keeps screenshots of what is shown, in light and dark, and fails where axe finds something serious. */
export async function look(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
    await page.screenshot({ path: `${env.TOWLINE_SCREENSHOTS}/${name}-${colorScheme}.png`, animations: "disabled" });
    const { violations } = await page.evaluate(`${axe}; axe.run(document, { resultTypes: ["violations"] })`);
    const bad = violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
    assert.deepEqual(bad, [], `${name}, ${colorScheme}`);
  }
}

/** A REST call as root, beside the browser. */
export async function api(method, path, body) {
  const response = await fetch(`${URL_OF_SERVER}/api/v4${path}`, {
    method,
    headers: { "PRIVATE-TOKEN": env.TOWLINE_TOKEN, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text.trim() === "" ? null : JSON.parse(text);
}

/** Commits an agent's configuration file to root/demo. */
export async function configure(agent, content) {
  const file = encodeURIComponent(`.gitlab/agents/${agent}/config.yaml`);
  const path = `/projects/root%2Fdemo/repository/files/${file}`;
  const body = { branch: "main", content, commit_message: "Configure the agent" };
  await api("POST", path, body).catch(() => api("PUT", path, body));
}

/** Fails unless the condition becomes true in time. */
export async function eventually(what, condition, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
