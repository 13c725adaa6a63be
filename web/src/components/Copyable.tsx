import { Button } from "@mantine/core";
import { useEffect, useId, useRef, useState, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import classes from "./Copyable.module.css";

/** Text for copying, with its name above and a button beside. */
export function Copyable({ label, text }: { label: string; text: string }) {
  const id = useId();
  const shown = useRef<HTMLPreElement>(null);
  return (
    <div className={classes.copyable}>
      <div className={classes.head}>
        <span id={id} className={classes.label}>
          {label}
        </span>
        <CopyButton what={label} text={text} shown={shown} />
      </div>
      <pre ref={shown} className={classes.text} tabIndex={0} role="group" aria-labelledby={id}>
        {text}
      </pre>
    </div>
  );
}

interface CopyButtonProps {
  what: string;
  text: string;
  shown: RefObject<HTMLElement | null>;
}

function CopyButton({ what, text, shown }: CopyButtonProps) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 3000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => void copyText(text, shown.current).then(setCopied);
  return (
    <span className={classes.copy}>
      <span role="status">{copied ? t("app.copied") : ""}</span>
      <Button variant="default" size="xs" onClick={copy} aria-label={t("app.copyWhat", { what })}>
        {t("app.copy")}
      </Button>
    </span>
  );
}

/** By the clipboard, which is there in secure contexts only, else by selecting what is shown, as a person would. */
async function copyText(text: string, shown: HTMLElement | null): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  if (!shown) return false;
  document.getSelection()?.selectAllChildren(shown);
  return document.execCommand("copy");
}
