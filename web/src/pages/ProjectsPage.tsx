import { Badge, Button, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useProjects } from "../api/queries";
import type { Project } from "../api/types";
import { Heading } from "../components/Heading";
import { PageLink } from "../components/Layout";
import { Pages } from "../components/Pages";
import { QueryState } from "../components/QueryState";
import { RelativeTime } from "../components/RelativeTime";
import { projectUrl } from "../lib/paths";
import { CreateProjectDialog } from "./CreateProjectDialog";
import classes from "./ProjectsPage.module.css";

export function ProjectsPage() {
  const { t } = useTranslation();
  const [search, setSearch] = useState("");
  const [wanted] = useDebouncedValue(search, 250);
  const [page, setPage] = useState(1);
  const [creating, setCreating] = useState(false);
  const projects = useProjects(wanted, page);
  return (
    <>
      <Heading title={t("projects.title")}>
        <Button onClick={() => setCreating(true)}>{t("projects.new")}</Button>
      </Heading>
      <TextInput
        type="search"
        aria-label={t("projects.search")}
        placeholder={t("projects.search")}
        value={search}
        onChange={(event) => {
          setSearch(event.currentTarget.value);
          setPage(1);
        }}
      />
      <QueryState query={projects}>
        {({ items, total, pages }) => (
          <>
            <Text size="sm" c="dimmed" my="sm" role="status">
              {noneText(items.length) ?? t("projects.count", { total })}
            </Text>
            {byNamespace(items).map(([space, group]) => (
              <NamespaceSection key={space} projects={group} />
            ))}
            <Pages page={page} pages={pages} onChange={setPage} />
          </>
        )}
      </QueryState>
      {creating && <CreateProjectDialog onClose={() => setCreating(false)} />}
    </>
  );

  function noneText(found: number): string | null {
    if (found > 0) return null;
    return wanted === "" ? t("projects.none") : t("projects.noneFound", { search: wanted });
  }
}

function byNamespace(projects: Project[]): [string, Project[]][] {
  const groups = Map.groupBy(projects, (project) => project.namespace.full_path);
  return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

function NamespaceSection({ projects }: { projects: Project[] }) {
  const { t } = useTranslation();
  const space = projects[0]!.namespace;
  return (
    <section className={classes.section} aria-label={space.full_path}>
      <h2 className={classes.space}>
        {space.full_path} <small>{t(space.kind === "group" ? "projects.group" : "projects.user")}</small>
      </h2>
      <ul className={classes.list}>
        {projects.map((project) => (
          <li key={project.id} className={classes.project}>
            <div className={classes.name}>
              <PageLink to={projectUrl(project.path_with_namespace)}>{project.name}</PageLink>
              {project.description && <p className={classes.description}>{project.description}</p>}
            </div>
            <Badge variant="light" color="gray" tt="none" title={t(`visibility.${project.visibility}`)}>
              {t(`visibility.${project.visibility}`).split(":")[0]}
            </Badge>
            <span className={classes.time}>
              <RelativeTime iso={project.last_activity_at} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
