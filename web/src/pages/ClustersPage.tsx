import { Button, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "../api/client";
import { mayMaintain, useAgents } from "../api/queries";
import type { Agent, Page, Project } from "../api/types";
import { ConfigurationVerdict, StateBadge, Versions } from "../components/AgentState";
import { DataTable } from "../components/DataTable";
import { Heading } from "../components/Heading";
import { PageLink } from "../components/Layout";
import { Pages } from "../components/Pages";
import { QueryState } from "../components/QueryState";
import { RelativeTime } from "../components/RelativeTime";
import { projectUrl } from "../lib/paths";
import { ConnectDialog } from "./ConnectDialog";

export function ClustersPage({ project }: { project: Project }) {
  const { t } = useTranslation();
  const [page, setPage] = useState(1);
  const [connecting, setConnecting] = useState(false);
  const agents = useAgents(project.id, page);
  const maintains = mayMaintain(project);
  const forbidden = agents.error instanceof ApiError && agents.error.status === 403;
  return (
    <>
      <Heading title={t("clusters.title")}>
        {maintains && <Button onClick={() => setConnecting(true)}>{t("clusters.connect")}</Button>}
      </Heading>
      {forbidden ? (
        <Text>{t("clusters.forbidden")}</Text>
      ) : (
        <QueryState query={agents}>
          {(found) => (
            <>
              <Agents project={project} found={found} />
              <Pages page={page} pages={found.pages} onChange={setPage} />
            </>
          )}
        </QueryState>
      )}
      {!maintains && (
        <Text mt="md" size="sm" c="dimmed">
          {t("clusters.readOnly")}
        </Text>
      )}
      {connecting && <ConnectDialog project={project} onClose={() => setConnecting(false)} />}
    </>
  );
}

function Agents({ project, found }: { project: Project; found: Page<Agent> }) {
  const { t } = useTranslation();
  const columns = [
    {
      title: t("clusters.agent"),
      cell: (agent: Agent) => (
        <PageLink to={projectUrl(project.path_with_namespace, "cluster_agents", agent.id)}>{agent.name}</PageLink>
      ),
    },
    { title: t("clusters.state"), cell: (agent: Agent) => <StateBadge status={agent.status} /> },
    { title: t("clusters.version"), cell: (agent: Agent) => <Versions status={agent.status} /> },
    {
      title: t("clusters.configuration"),
      cell: (agent: Agent) => <ConfigurationVerdict configuration={agent.configuration} />,
    },
    {
      title: t("clusters.lastContact"),
      cell: (agent: Agent) => <RelativeTime iso={agent.status.last_contact_at} />,
    },
  ];
  return (
    <>
      <DataTable
        caption={t("clusters.caption")}
        columns={columns}
        items={found.items}
        keyOf={(agent) => agent.id}
        none={t("clusters.none")}
      />
      {found.total === 0 && <Text mt="xs">{t("clusters.noneHint")}</Text>}
    </>
  );
}
