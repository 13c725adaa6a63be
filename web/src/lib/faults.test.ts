import { expect, test } from "vitest";
import { parseFaults } from "./faults";

test("lines are found where a fault names one", () => {
  const text = ".gitlab/agents/a/config.yaml:3:5: unknown key\na/config.yaml:12: bad\ncannot be read\n";
  expect(parseFaults(text).map((fault) => fault.line)).toEqual([3, 12, 0]);
  expect(parseFaults(text)[2]?.message).toBe("cannot be read");
});

test("no text is no fault", () => {
  expect(parseFaults(null)).toEqual([]);
  expect(parseFaults("")).toEqual([]);
});
