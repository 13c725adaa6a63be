import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Heading } from "../components/Heading";

export function NotFoundPage() {
  const { t } = useTranslation();
  return (
    <>
      <Heading title="404" />
      <Text>{t("app.notFound")}</Text>
    </>
  );
}
