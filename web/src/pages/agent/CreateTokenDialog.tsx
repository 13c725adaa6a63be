import { Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useApi } from "../../api/context";
import { agentsPath } from "../../api/queries";
import type { NewAgentToken } from "../../api/types";
import { Dialog, DialogForm } from "../../components/Dialog";
import { ErrorAlert } from "../../components/QueryState";
import { Secret } from "../../components/Secret";
import type { AgentTabProps } from "../AgentPage";

export function CreateTokenDialog({ project, agentId, onClose }: AgentTabProps & { onClose: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const create = useMutation({
    mutationFn: () =>
      api.post<NewAgentToken>(`${agentsPath(project.id)}/${agentId}/tokens`, { name, description }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["agent", agentId, "tokens"], exact: true }),
  });
  const made = create.data;
  return (
    <Dialog
      opened
      wide
      title={made ? t("tokens.created", { name: made.name }) : t("tokens.new")}
      onClose={onClose}
      closeOnClickOutside={!made}
    >
      {made ? (
        <Secret token={made.token} installation={made.installation.text} onClose={onClose} />
      ) : (
        <DialogForm
          submit={t("tokens.create")}
          busy={create.isPending}
          disabled={name.trim() === ""}
          onSubmit={() => create.mutate()}
          onCancel={onClose}
        >
          <Stack>
            <ErrorAlert error={create.error} />
            <TextInput
              label={t("app.name")}
              required
              data-autofocus
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <TextInput
              label={t("app.description")}
              value={description}
              onChange={(event) => setDescription(event.currentTarget.value)}
            />
          </Stack>
        </DialogForm>
      )}
    </Dialog>
  );
}
