import { afterEach, expect, test, vi } from "vitest";
import { Api, ApiError, errorText } from "./client";

afterEach(() => vi.unstubAllGlobals());

/** Answers with these in turn, and keeps what was asked. */
function answers(...responses: Response[]) {
  const asked = vi.fn((_url: string, _init: RequestInit) => Promise.resolve(responses.shift()!));
  vi.stubGlobal("fetch", asked);
  return asked;
}

const session = () => Response.json({ user: { id: 1, username: "root", name: "Root" }, csrf_token: "c5" });

test.each([
  [{ message: "404 Not Found" }, "404 Not Found"],
  [{ message: { name: ["is too long", "is bad"] } }, "name is too long, is bad"],
  [{ error: "name is missing" }, "name is missing"],
  [{ error: "invalid_token", error_description: "Token was revoked" }, "Token was revoked"],
  [null, null],
  [7, null],
])("the text of %j is %j", (body, text) => {
  expect(errorText(body)).toBe(text);
});

test("changes carry the session's CSRF token, and reading does not", async () => {
  const asked = answers(session(), Response.json([]), new Response(null, { status: 204 }));
  const api = new Api(() => {});
  await api.signIn("root", "secret");
  await api.get("/projects");
  await api.delete("/x");
  const headers = asked.mock.calls.map(([, init]) => (init.headers as Record<string, string>)["X-CSRF-Token"]);
  expect(headers).toEqual([undefined, undefined, "c5"]);
});

test("no session is an answer, not an error", async () => {
  answers(new Response("{}", { status: 401 }));
  expect(await new Api(() => {}).session()).toBeNull();
});

test("a session that is over is told", async () => {
  answers(Response.json({ message: "401 Unauthorized" }, { status: 401 }));
  const over = vi.fn();
  await expect(new Api(over).get("/user")).rejects.toMatchObject({ status: 401, message: "401 Unauthorized" });
  expect(over).toHaveBeenCalledOnce();
});

test("a wrong password does not end a session", async () => {
  answers(Response.json({ message: "wrong" }, { status: 401 }));
  const over = vi.fn();
  await expect(new Api(over).signIn("a", "b")).rejects.toBeInstanceOf(ApiError);
  expect(over).not.toHaveBeenCalled();
});

test("how long to wait is kept", async () => {
  answers(Response.json({ message: "too many" }, { status: 429, headers: { "Retry-After": "17" } }));
  await expect(new Api(() => {}).signIn("a", "b")).rejects.toMatchObject({ status: 429, retryAfter: 17 });
});

test("a list knows how long it is", async () => {
  answers(Response.json([1, 2], { headers: { "X-Total": "41", "X-Total-Pages": "21" } }));
  expect(await new Api(() => {}).list("/projects")).toEqual({ items: [1, 2], total: 41, pages: 21 });
});

test("an answer that is not JSON is named by its status", async () => {
  answers(new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
  await expect(new Api(() => {}).get("/user")).rejects.toThrow("502 Bad Gateway");
});

test("a server that cannot be reached has status 0", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(new Api(() => {}).get("/user")).rejects.toMatchObject({ status: 0, message: "Failed to fetch" });
});
