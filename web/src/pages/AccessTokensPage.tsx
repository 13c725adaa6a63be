import { Button, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useApi } from "../api/context";
import { useAccessTokens, useSession } from "../api/queries";
import type { AccessToken } from "../api/types";
import { ConfirmDialog } from "../components/ConfirmDialog";
import { DataTable } from "../components/DataTable";
import { Heading } from "../components/Heading";
import { Pages } from "../components/Pages";
import { QueryState } from "../components/QueryState";
import { RelativeTime } from "../components/RelativeTime";
import { RevokeButton } from "../components/RevokeButton";
import { CreateAccessTokenDialog } from "./CreateAccessTokenDialog";

export function AccessTokensPage() {
  const { t } = useTranslation();
  const userId = useSession().data?.user.id ?? 0;
  const [page, setPage] = useState(1);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<AccessToken | null>(null);
  const tokens = useAccessTokens(userId, page);
  const columns = [
    { title: t("app.name"), cell: (token: AccessToken) => token.name },
    { title: t("pat.scopes"), cell: (token: AccessToken) => token.scopes.join(", ") },
    { title: t("app.created"), cell: (token: AccessToken) => <RelativeTime iso={token.created_at} /> },
    { title: t("app.lastUsed"), cell: (token: AccessToken) => <RelativeTime iso={token.last_used_at} /> },
    { title: t("app.expires"), cell: (token: AccessToken) => token.expires_at ?? t("app.never") },
    {
      title: t("app.actions"),
      cell: (token: AccessToken) => <RevokeButton name={token.name} onClick={() => setRevoking(token)} />,
    },
  ];
  return (
    <>
      <Heading title={t("pat.title")}>
        <Button onClick={() => setCreating(true)}>{t("pat.new")}</Button>
      </Heading>
      <Text mb="md">{t("pat.hint")}</Text>
      <QueryState query={tokens}>
        {({ items, pages }) => (
          <>
            <DataTable
              caption={t("pat.caption")}
              columns={columns}
              items={items}
              keyOf={(token) => token.id}
              none={t("pat.none")}
            />
            <Pages page={page} pages={pages} onChange={setPage} />
          </>
        )}
      </QueryState>
      {creating && <CreateAccessTokenDialog onClose={() => setCreating(false)} />}
      {revoking && <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />}
    </>
  );
}

function RevokeDialog({ token, onClose }: { token: AccessToken; onClose: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const done = () => {
    onClose();
    void queries.invalidateQueries({ queryKey: ["access_tokens"] });
  };
  return (
    <ConfirmDialog
      title={t("tokens.revokeTitle", { name: token.name })}
      text={t("pat.revokeText")}
      submit={t("tokens.revoke")}
      action={() => api.delete(`/personal_access_tokens/${token.id}`)}
      onDone={done}
      onClose={onClose}
    />
  );
}
