import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { NavLink, useLocation } from "react-router";
import { useProject } from "../api/queries";
import type { Project } from "../api/types";
import { Copyable } from "../components/Copyable";
import { Heading } from "../components/Heading";
import { PageLink } from "../components/Layout";
import { QueryState } from "../components/QueryState";
import { parseProjectAddress, projectUrl } from "../lib/paths";
import { AgentPage } from "./AgentPage";
import { ClustersPage } from "./ClustersPage";
import { NotFoundPage } from "./NotFoundPage";
import classes from "./ProjectPage.module.css";

/** The views of a project: /full/path, /full/path/-/clusters and /full/path/-/cluster_agents/7. */
export function ProjectPage() {
  const address = parseProjectAddress(useLocation().pathname);
  if (!address) return <NotFoundPage />;
  return <Found path={address.project} view={address.view} />;
}

function Found({ path, view }: { path: string; view: string[] }) {
  const project = useProject(path);
  return <QueryState query={project}>{(found) => <Framed project={found} view={view} />}</QueryState>;
}

function Framed({ project, view }: { project: Project; view: string[] }) {
  const { t } = useTranslation();
  return (
    <>
      <nav aria-label={t("project.breadcrumb")}>
        <ol className={classes.crumbs}>
          <li>
            <PageLink to="/">{t("projects.title")}</PageLink>
          </li>
          <li>{project.namespace.full_path}</li>
          <li>
            <PageLink to={projectUrl(project.path_with_namespace)}>{project.name}</PageLink>
          </li>
          {view.length > 0 && <li>{t("project.operate")}</li>}
          {view.length > 0 && (
            <li>
              <PageLink to={projectUrl(project.path_with_namespace, "clusters")}>{t("project.clusters")}</PageLink>
            </li>
          )}
        </ol>
      </nav>
      <View project={project} view={view} />
    </>
  );
}

function View({ project, view }: { project: Project; view: string[] }) {
  const [name, id, ...more] = view;
  if (name === undefined) return <Overview project={project} />;
  if (name === "clusters" && id === undefined) return <ClustersPage project={project} />;
  if (name === "cluster_agents" && /^\d+$/.test(id ?? "") && more.length === 0) {
    return <AgentPage key={id} project={project} agentId={Number(id)} />;
  }
  return <NotFoundPage />;
}

function Overview({ project }: { project: Project }) {
  const { t } = useTranslation();
  return (
    <>
      <Heading title={project.name} />
      {project.description && <Text mb="md">{project.description}</Text>}
      <nav aria-label={t("project.operate")} className={classes.operate}>
        <h2>{t("project.operate")}</h2>
        <NavLink to={projectUrl(project.path_with_namespace, "clusters")}>{t("project.clusters")}</NavLink>
      </nav>
      <Copyable label={t("project.clone")} text={`git clone ${project.http_url_to_repo}`} />
      <Text size="sm" c="dimmed" mt="sm">
        {t("project.configure", { branch: project.default_branch })}
      </Text>
    </>
  );
}
