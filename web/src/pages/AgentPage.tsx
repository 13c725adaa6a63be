import { Button, Tabs } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "react-router";
import { mayMaintain, useAgent } from "../api/queries";
import type { Agent, Project } from "../api/types";
import { StateBadge, Versions } from "../components/AgentState";
import { Heading } from "../components/Heading";
import { QueryState } from "../components/QueryState";
import { RelativeTime } from "../components/RelativeTime";
import { ActivityTab } from "./agent/ActivityTab";
import { ConfigurationTab } from "./agent/ConfigurationTab";
import { DeleteAgentDialog } from "./agent/DeleteAgentDialog";
import { PodsTab } from "./agent/PodsTab";
import { TokensTab } from "./agent/TokensTab";
import classes from "./AgentPage.module.css";

export interface AgentTabProps {
  project: Project;
  agentId: number;
}

const TABS = { tokens: TokensTab, activity: ActivityTab, configuration: ConfigurationTab, pods: PodsTab };
type TabName = keyof typeof TABS;
const NAMES = Object.keys(TABS) as TabName[];

export function AgentPage({ project, agentId }: AgentTabProps) {
  const agent = useAgent(project.id, agentId);
  return (
    <QueryState query={agent}>
      {(found) => (
        <>
          <Head project={project} agent={found} />
          <AgentTabs project={project} agentId={agentId} />
        </>
      )}
    </QueryState>
  );
}

function Head({ project, agent }: { project: Project; agent: Agent }) {
  const { t } = useTranslation();
  const [deleting, setDeleting] = useState(false);
  return (
    <>
      <Heading title={agent.name}>
        {mayMaintain(project) && (
          <Button color="red" variant="outline" onClick={() => setDeleting(true)}>
            {t("agent.delete")}
          </Button>
        )}
      </Heading>
      <dl className={classes.facts}>
        <div>
          <dt>{t("clusters.state")}</dt>
          <dd>
            <StateBadge status={agent.status} />
          </dd>
        </div>
        <div>
          <dt>{t("clusters.version")}</dt>
          <dd>
            <Versions status={agent.status} />
          </dd>
        </div>
        <div>
          <dt>{t("clusters.lastContact")}</dt>
          <dd>
            <RelativeTime iso={agent.status.last_contact_at} />
          </dd>
        </div>
        <div>
          <dt>{t("app.created")}</dt>
          <dd>
            <RelativeTime iso={agent.created_at} />
          </dd>
        </div>
      </dl>
      {deleting && <DeleteAgentDialog project={project} agent={agent} onClose={() => setDeleting(false)} />}
    </>
  );
}

function AgentTabs({ project, agentId }: AgentTabProps) {
  const { t } = useTranslation();
  const [parameters, setParameters] = useSearchParams();
  const wanted = parameters.get("tab") as TabName;
  const tab = NAMES.includes(wanted) ? wanted : "tokens";
  return (
    <Tabs value={tab} onChange={(name) => setParameters({ tab: name ?? "tokens" }, { replace: true })} keepMounted={false}>
      <Tabs.List aria-label={t("agent.tabs")} mb="md">
        {NAMES.map((name) => (
          <Tabs.Tab key={name} value={name}>
            {t(`agent.${name}`)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {NAMES.map((name) => {
        const Content = TABS[name];
        return (
          <Tabs.Panel key={name} value={name}>
            <Content project={project} agentId={agentId} />
          </Tabs.Panel>
        );
      })}
    </Tabs>
  );
}
