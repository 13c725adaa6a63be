import { Autocomplete, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Api } from "../api/client";
import { useApi } from "../api/context";
import { agentsPath, useConfigurationFiles } from "../api/queries";
import type { Agent, ConfigurationFile, NewAgentToken, Project } from "../api/types";
import { Dialog, DialogForm } from "../components/Dialog";
import { ErrorAlert } from "../components/QueryState";
import { Secret } from "../components/Secret";
import { agentNameProblem } from "../lib/agentName";

interface Registered {
  agent: Agent;
  token: NewAgentToken;
}

/** Registers an agent and shows its token with the command that installs it. */
export function ConnectDialog({ project, onClose }: { project: Project; onClose: () => void }) {
  const { t } = useTranslation();
  const [done, setDone] = useState<Registered | null>(null);
  return (
    <Dialog
      opened
      wide
      title={done ? t("connect.registered", { name: done.agent.name }) : t("connect.title")}
      onClose={onClose}
      closeOnClickOutside={done === null}
    >
      {done ? (
        <Secret token={done.token.token} installation={done.token.installation.text} onClose={onClose} />
      ) : (
        <RegisterForm project={project} onDone={setDone} onClose={onClose} />
      )}
    </Dialog>
  );
}

interface RegisterFormProps {
  project: Project;
  onDone: (registered: Registered) => void;
  onClose: () => void;
}

function RegisterForm({ project, onDone, onClose }: RegisterFormProps) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const files = useConfigurationFiles(project.id);
  const [name, setName] = useState("");
  const [touched, setTouched] = useState(false);
  const connect = useMutation({
    mutationFn: () => register(api, project.id, name, (message) => t("connect.tokenFailed", { message })),
    onSuccess: onDone,
    onSettled: () => queries.invalidateQueries({ queryKey: ["agents", project.id] }),
  });
  const offered = namesWithoutAgent(files.data ?? []);
  const problem = useNameProblem(name, files.data ?? []);
  return (
    <DialogForm
      submit={t("connect.register")}
      busy={connect.isPending}
      onSubmit={() => {
        setTouched(true);
        if (problem === null) connect.mutate();
      }}
      onCancel={onClose}
    >
      <Stack>
        <ErrorAlert error={connect.error} />
        {(files.data ?? [])
          .filter((file) => file.warning)
          .map((file) => (
            <Text key={file.path} size="sm" c="dimmed">
              {file.path}: {file.warning}
            </Text>
          ))}
        <Autocomplete
          label={t("connect.name")}
          description={
            offered.length > 0
              ? `${t("connect.rule")} ${t("connect.offered", { names: offered.join(", ") })}`
              : t("connect.rule")
          }
          required
          data-autofocus
          spellCheck={false}
          autoCapitalize="none"
          data={offered}
          value={name}
          error={touched || name !== "" ? problem : null}
          onChange={setName}
        />
      </Stack>
    </DialogForm>
  );
}

function namesWithoutAgent(files: ConfigurationFile[]): string[] {
  return files.filter((file) => file.agent_id === null && !file.warning).map((file) => file.name);
}

/** What is wrong with the name, said as one types. */
function useNameProblem(name: string, files: ConfigurationFile[]): string | null {
  const { t } = useTranslation();
  const problem = agentNameProblem(name);
  if (problem) return t(`name.${problem}`, { length: name.length });
  return files.some((file) => file.name === name && file.agent_id !== null) ? t("name.taken") : null;
}

async function register(
  api: Api,
  projectId: number,
  name: string,
  tokenFailed: (message: string) => string,
): Promise<Registered> {
  const agent = await api.post<Agent>(agentsPath(projectId), { name });
  try {
    const token = await api.post<NewAgentToken>(`${agentsPath(projectId)}/${agent.id}/tokens`, { name });
    return { agent, token };
  } catch (error) {
    throw new Error(tokenFailed(error instanceof Error ? error.message : String(error)));
  }
}
