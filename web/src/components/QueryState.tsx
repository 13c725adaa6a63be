import { Alert, Button, Group, Loader } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "../api/client";

/** What an error says to a person. */
export function useErrorText(): (error: unknown) => string {
  const { t } = useTranslation();
  return (error) => {
    if (error instanceof ApiError && error.status === 404) return t("app.notFound");
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof ApiError && error.status === 0 ? t("app.unreachable", { message }) : message;
  };
}

export function ErrorAlert({ error, title }: { error: unknown; title?: string }) {
  const { t } = useTranslation();
  const text = useErrorText();
  if (error === null || error === undefined) return null;
  return (
    <Alert color="red" role="alert" title={title ?? t("app.failed")}>
      {text(error)}
    </Alert>
  );
}

/** Shows what a query has found; while it looks, that it does; and what went wrong, above what it found before. */
export function QueryState<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const { t } = useTranslation();
  const text = useErrorText();
  if (query.data === undefined) {
    if (query.isPending && !query.isError) return <Loader role="status" aria-label={t("app.loading")} my="xl" />;
    return (
      <Alert color="red" role="alert">
        <Group justify="space-between">
          {text(query.error)}
          <Button variant="default" size="xs" onClick={() => void query.refetch()}>
            {t("app.retry")}
          </Button>
        </Group>
      </Alert>
    );
  }
  return (
    <>
      {query.isError && (
        <Alert color="yellow" role="status" mb="md">
          {t("app.stale", { message: text(query.error) })}
        </Alert>
      )}
      {children(query.data)}
    </>
  );
}
