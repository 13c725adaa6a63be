import { expect, test } from "vitest";
import { chooseLanguage } from ".";
import { en } from "./en";
import { ja } from "./ja";

test("both languages say the same things with the same values", () => {
  expect(Object.keys(ja).sort()).toEqual(Object.keys(en).sort());
  const values = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort();
  for (const key of Object.keys(en) as (keyof typeof en)[]) {
    expect(values(ja[key]), key).toEqual(values(en[key]));
    expect(ja[key].trim(), key).not.toBe("");
  }
});

test.each([
  [null, ["ja-JP", "en-US"], "ja"],
  [null, ["en-GB", "ja"], "en"],
  [null, ["de", "ja"], "ja"],
  [null, ["de"], "en"],
  [null, [], "en"],
  ["en", ["ja"], "en"],
  ["xx", ["ja"], "ja"],
])("stored %j and preferred %j give %s", (stored, preferred, language) => {
  expect(chooseLanguage(stored, preferred)).toBe(language);
});
