import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** Of the token `name`: in a list, where each row has one. */
export function RevokeButton({ name, onClick }: { name: string; onClick: () => void }) {
  const { t } = useTranslation();
  return (
    <Button size="xs" variant="default" aria-label={t("tokens.revokeWhat", { name })} onClick={onClick}>
      {t("tokens.revoke")}
    </Button>
  );
}
