import { Alert, Button, Group, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Copyable } from "./Copyable";

/** A new token, shown this once, and how to install an agent with it. */
export function Secret({ token, installation, onClose }: { token: string; installation?: string; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <>
      <Alert color="yellow">{t("secret.once")}</Alert>
      <Copyable label={t("secret.token")} text={token} />
      {installation && (
        <>
          <Copyable label={t("secret.install")} text={installation} />
          <Text size="sm" mt="xs">
            {t("secret.installHint")}
          </Text>
        </>
      )}
      <Group justify="flex-end" mt="lg">
        <Button onClick={onClose}>{t("app.close")}</Button>
      </Group>
    </>
  );
}
