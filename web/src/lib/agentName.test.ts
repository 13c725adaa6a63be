import { describe, expect, test } from "vitest";
import { agentNameProblem } from "./agentName";

describe("an agent's name", () => {
  test.each(["a", "7", "my-agent", "a".repeat(63), "0-0", "a--b"])("%s is allowed", (name) => {
    expect(agentNameProblem(name)).toBeNull();
  });
  test.each([
    ["", "empty"],
    ["a".repeat(64), "long"],
    ["My-agent", "upper"],
    ["my agent", "characters"],
    ["my_agent", "characters"],
    ["エージェント", "characters"],
    ["a.b", "characters"],
    ["-a", "start"],
    ["a-", "end"],
    ["-", "start"],
  ])("%s breaks the rule %s", (name, problem) => {
    expect(agentNameProblem(name)).toBe(problem);
  });
});
