import { Pagination } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** Leads through the pages of a list that has more than one. */
export function Pages({ page, pages, onChange }: { page: number; pages: number; onChange: (page: number) => void }) {
  const { t } = useTranslation();
  if (pages <= 1) return null;
  return (
    <nav aria-label={t("app.pages")}>
      <Pagination
        mt="md"
        value={page}
        total={pages}
        onChange={onChange}
        getItemProps={(each) => ({ "aria-label": t("app.page", { page: each }) })}
        getControlProps={(control) => ({
          "aria-label": t(control === "previous" || control === "first" ? "app.previous" : "app.next"),
        })}
      />
    </nav>
  );
}
