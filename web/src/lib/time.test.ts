import { expect, test } from "vitest";
import { absoluteTime, dayAfter, relativeTime } from "./time";

const NOW = Date.parse("2026-03-10T12:00:00Z");

test.each([
  ["2026-03-10T12:00:00Z", "now", "今"],
  ["2026-03-10T11:59:56Z", "now", "今"],
  ["2026-03-10T11:59:50Z", "10 seconds ago", "10 秒前"],
  ["2026-03-10T11:58:59Z", "1 minute ago", "1 分前"],
  ["2026-03-10T09:00:00Z", "3 hours ago", "3 時間前"],
  ["2026-03-09T11:00:00Z", "yesterday", "昨日"],
  ["2026-03-12T12:00:01Z", "in 2 days", "明後日"],
  ["2025-12-01T00:00:00Z", "3 months ago", "3 か月前"],
  ["2020-03-10T00:00:00Z", "6 years ago", "6 年前"],
])("%s is %s", (iso, english, japanese) => {
  expect(relativeTime(iso, NOW, "en")).toBe(english);
  expect(relativeTime(iso, NOW, "ja")).toBe(japanese);
});

test("the absolute time has date, time and zone", () => {
  expect(absoluteTime("2026-03-10T12:00:00Z", "en", "UTC")).toBe("March 10, 2026 at 12:00:00 PM UTC");
  expect(absoluteTime("2026-03-10T12:00:00Z", "ja", "Asia/Tokyo")).toContain("2026年3月10日");
});

test("days are counted in UTC", () => {
  expect(dayAfter(Date.parse("2026-02-27T23:30:00-05:00"), 1)).toBe("2026-03-01");
  expect(dayAfter(NOW, 30)).toBe("2026-04-09");
});
