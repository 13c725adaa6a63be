// How the server serves the page, as a browser sees it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { URL_OF_SERVER, newPage, useBrowser } from "../browser.mjs";

useBrowser();

const get = (path, headers = {}, method = "GET") => fetch(URL_OF_SERVER + path, { headers, method });

async function assetPaths() {
  const html = await (await get("/")).text();
  const paths = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1]);
  assert.ok(paths.some((path) => path.endsWith(".js")) && paths.some((path) => path.endsWith(".css")), html);
  return paths;
}

test("views give the page, and files that there are not give 404", async () => {
  for (const path of ["/", "/users/sign_in", "/root/demo/-/clusters", "/a/b.c/-/clusters"]) {
    const answer = await get(path);
    assert.equal(answer.status, 200, path);
    assert.match(answer.headers.get("content-type"), /^text\/html/);
    assert.equal(answer.headers.get("cache-control"), "no-cache");
  }
  for (const path of ["/assets/none.js", "/robots.txt", "/.env", "/-/kubernetes-agent/", "/api"]) {
    const answer = await get(path);
    assert.equal(answer.status, 404, path);
    assert.match(answer.headers.get("content-type"), /^application\/json/);
  }
  assert.equal((await get("/", {}, "POST")).status, 405);
});

test("files are kept for ever, asked for once more by their tags, and compressed", async () => {
  for (const path of await assetPaths()) {
    const plain = await get(path, { "accept-encoding": "identity" });
    const zipped = await get(path, { "accept-encoding": "gzip" });
    assert.equal(zipped.headers.get("content-encoding"), "gzip", path);
    assert.equal(plain.headers.get("content-encoding"), null);
    assert.equal(await plain.text(), await zipped.text());
    const again = await get(path, { "if-none-match": zipped.headers.get("etag"), "accept-encoding": "gzip" });
    assert.equal(again.status, 304, path);
    if (path.startsWith("/assets/")) assert.match(plain.headers.get("cache-control"), /max-age=31536000, immutable/);
  }
});

test("every answer is strict with browsers", async () => {
  for (const path of ["/", "/assets/none.js", ...(await assetPaths())]) {
    const { headers } = await get(path);
    const policy = headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("x-frame-options"), "DENY");
    assert.ok(headers.get("referrer-policy") && headers.get("permissions-policy"));
  }
});

test("the policy is in force: an injected script, style or frame does nothing", async () => {
  const page = await newPage({ lenient: true });
  await page.goto("/users/sign_in");
  const blocked = await page.evaluate(async () => {
    const seen = [];
    document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
    const add = (tag, set) => document.body.append(Object.assign(document.createElement(tag), set));
    add("script", { textContent: "window.injected = true" });
    add("style", { textContent: "body { display: none }" });
    add("img", { src: "https://other.example/x.png" });
    add("iframe", { src: "/" });
    while (seen.length < 4) await new Promise((resolve) => setTimeout(resolve, 20));
    return { seen: seen.sort(), injected: window.injected === true };
  });
  assert.deepEqual(blocked, { seen: ["frame-src", "img-src", "script-src-elem", "style-src-elem"], injected: false });
});
