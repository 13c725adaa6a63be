import { Button, Group, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useApi } from "../../api/context";
import { agentsPath, mayMaintain, useAgentTokens } from "../../api/queries";
import type { AgentToken } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { DataTable } from "../../components/DataTable";
import { QueryState } from "../../components/QueryState";
import { RelativeTime } from "../../components/RelativeTime";
import { RevokeButton } from "../../components/RevokeButton";
import type { AgentTabProps } from "../AgentPage";
import { CreateTokenDialog } from "./CreateTokenDialog";

const MAX_TOKENS = 2;

export function TokensTab({ project, agentId }: AgentTabProps) {
  const { t } = useTranslation();
  const { list, tokens } = useAgentTokens(project.id, agentId);
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<AgentToken | null>(null);
  const maintains = mayMaintain(project);
  const full = tokens.length >= MAX_TOKENS;
  const columns = [
    { title: t("app.name"), cell: (token: AgentToken) => token.name },
    { title: t("app.description"), cell: (token: AgentToken) => token.description || "–" },
    { title: t("app.created"), cell: (token: AgentToken) => <RelativeTime iso={token.created_at} /> },
    { title: t("app.lastUsed"), cell: (token: AgentToken) => <RelativeTime iso={token.last_used_at} /> },
    ...(maintains
      ? [
          {
            title: t("app.actions"),
            cell: (token: AgentToken) => <RevokeButton name={token.name} onClick={() => setRevoking(token)} />,
          },
        ]
      : []),
  ];
  return (
    <QueryState query={list}>
      {() => (
        <>
          {maintains && (
            <Group mb="md">
              <Button disabled={full} onClick={() => setCreating(true)}>
                {t("tokens.new")}
              </Button>
              {full && <Text size="sm">{t("tokens.max")}</Text>}
            </Group>
          )}
          <DataTable
            caption={t("tokens.caption")}
            columns={columns}
            items={tokens}
            keyOf={(token) => token.id}
            none={t("tokens.none")}
          />
          {creating && <CreateTokenDialog project={project} agentId={agentId} onClose={() => setCreating(false)} />}
          {revoking && (
            <RevokeDialog project={project} agentId={agentId} token={revoking} onClose={() => setRevoking(null)} />
          )}
        </>
      )}
    </QueryState>
  );
}

function RevokeDialog({ project, agentId, token, onClose }: AgentTabProps & { token: AgentToken; onClose: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const done = () => {
    onClose();
    void queries.invalidateQueries({ queryKey: ["agent", agentId, "tokens"], exact: true });
  };
  return (
    <ConfirmDialog
      title={t("tokens.revokeTitle", { name: token.name })}
      text={t("tokens.revokeText")}
      submit={t("tokens.revoke")}
      action={() => api.delete(`${agentsPath(project.id)}/${agentId}/tokens/${token.id}`)}
      onDone={done}
      onClose={onClose}
    />
  );
}
