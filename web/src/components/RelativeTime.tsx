import { Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { absoluteTime, relativeTime } from "../lib/time";

/** "3 minutes ago", kept up to date, with the exact time as its title. */
export function RelativeTime({ iso }: { iso: string | null | undefined }) {
  const { t, i18n } = useTranslation();
  const now = useNow();
  if (!iso) {
    return (
      <Text component="span" c="dimmed" inherit>
        {t("app.never")}
      </Text>
    );
  }
  return (
    <time dateTime={iso} title={absoluteTime(iso, i18n.language)}>
      {relativeTime(iso, now, i18n.language)}
    </time>
  );
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
