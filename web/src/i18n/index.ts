import { createInstance, type i18n } from "i18next";
import { initReactI18next } from "react-i18next";
import { en } from "./en";
import { ja } from "./ja";

export const LANGUAGES = { en: "English", ja: "日本語" } as const;
export type Language = keyof typeof LANGUAGES;

const STORAGE_KEY = "towline-language";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
    keySeparator: false;
    nsSeparator: false;
  }
}

/** What was chosen before, else the first of the browser's languages that the page speaks, else English. */
export function chooseLanguage(stored: string | null, preferred: readonly string[]): Language {
  const known = (tag: string | null): Language | undefined =>
    (Object.keys(LANGUAGES) as Language[]).find((each) => each === tag?.toLowerCase().split("-")[0]);
  return known(stored) ?? preferred.map(known).find((each) => each !== undefined) ?? "en";
}

export function createI18n(preferred: readonly string[], storage: Storage): i18n {
  const instance = createInstance();
  instance.on("languageChanged", (language) => {
    document.documentElement.lang = language;
  });
  void instance.use(initReactI18next).init({
    lng: chooseLanguage(storage.getItem(STORAGE_KEY), preferred),
    fallbackLng: "en",
    resources: { en: { translation: en }, ja: { translation: ja } },
    initAsync: false,
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false }, // React escapes
  });
  return instance;
}

export function setLanguage(instance: i18n, language: Language): void {
  localStorage.setItem(STORAGE_KEY, language);
  void instance.changeLanguage(language);
}
