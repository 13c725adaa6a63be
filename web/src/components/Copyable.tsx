import { Button } from "@mantine/core";
import { useEffect, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import classes from "./Copyable.module.css";

/** Text for copying, with its name above and a button beside. */
export function Copyable({ label, text }: { label: string; text: string }) {
  const id = useId();
  return (
    <div className={classes.copyable}>
      <div className={classes.head}>
        <span id={id} className={classes.label}>
          {label}
        </span>
        <CopyButton what={label} text={text} />
      </div>
      <pre className={classes.text} tabIndex={0} role="group" aria-labelledby={id}>
        {text}
      </pre>
    </div>
  );
}

function CopyButton({ what, text }: { what: string; text: string }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 3000);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () => void copyText(text).then(setCopied);
  return (
    <span className={classes.copy}>
      <span role="status">{copied ? t("app.copied") : ""}</span>
      <Button variant="default" size="xs" onClick={copy} aria-label={t("app.copyWhat", { what })}>
        {t("app.copy")}
      </Button>
    </span>
  );
}

/** The clipboard is there only in secure contexts; elsewhere the old command does. */
async function copyText(text: string): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
