import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { useApi } from "../../api/context";
import { agentsPath } from "../../api/queries";
import type { Agent, Project } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { projectUrl } from "../../lib/paths";

interface DeleteAgentDialogProps {
  project: Project;
  agent: Agent;
  onClose: () => void;
}

export function DeleteAgentDialog({ project, agent, onClose }: DeleteAgentDialogProps) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const leave = async () => {
    await navigate(projectUrl(project.path_with_namespace, "clusters"));
    queries.removeQueries({ queryKey: ["agent", agent.id] });
    await queries.invalidateQueries({ queryKey: ["agents", project.id] });
  };
  return (
    <ConfirmDialog
      title={t("agent.deleteTitle", { name: agent.name })}
      text={t("agent.deleteText")}
      submit={t("agent.delete")}
      type={{ wanted: agent.name, label: t("agent.deleteType", { name: agent.name }) }}
      action={() => api.delete(`${agentsPath(project.id)}/${agent.id}`)}
      onDone={() => void leave()}
      onClose={onClose}
    />
  );
}
