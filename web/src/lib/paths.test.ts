import { expect, test } from "vitest";
import { parseProjectAddress, pathFromName, projectUrl, safeReturn } from "./paths";

test("an address of a project is taken apart and put together", () => {
  expect(parseProjectAddress("/root/demo")).toEqual({ project: "root/demo", view: [] });
  expect(parseProjectAddress("/a/b/c.d/-/clusters")).toEqual({ project: "a/b/c.d", view: ["clusters"] });
  expect(parseProjectAddress("/a/b/-/cluster_agents/7/")).toEqual({ project: "a/b", view: ["cluster_agents", "7"] });
  expect(projectUrl("a/b", "cluster_agents", 7)).toBe("/a/b/-/cluster_agents/7");
  expect(projectUrl("a/b")).toBe("/a/b");
});

test.each(["/", "/root", "/-/x", "/root/-/x"])("%s is no project", (path) => {
  expect(parseProjectAddress(path)).toBeNull();
});

test("an address with a broken escape is still one", () => {
  expect(parseProjectAddress("/a/%zz")).toEqual({ project: "a/%zz", view: [] });
});

test.each([
  ["/root/demo", "/root/demo"],
  ["//evil.example", "/"],
  ["/\\evil.example", "/"],
  ["https://evil.example", "/"],
  [null, "/"],
])("after the log-in %s leads to %s", (wanted, there) => {
  expect(safeReturn(wanted)).toBe(there);
});

test.each([
  ["My Project", "my-project"],
  ["  A  b ", "a-b"],
  [".x_y.z.", "x_y.z"],
  ["日本", ""],
])("the path of %s is %s", (name, path) => {
  expect(pathFromName(name)).toBe(path);
});
