import { Alert } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useConfiguration, useFile } from "../../api/queries";
import type { Configuration, Project } from "../../api/types";
import { QueryState } from "../../components/QueryState";
import { parseFaults } from "../../lib/faults";
import type { AgentTabProps } from "../AgentPage";
import classes from "./ConfigurationTab.module.css";

const COLOURS = { valid: "green", invalid: "red", absent: "gray" };

export function ConfigurationTab({ project, agentId }: AgentTabProps) {
  const { t } = useTranslation();
  const configuration = useConfiguration(project.id, agentId);
  return (
    <QueryState query={configuration}>
      {(found) => (
        <>
          <Verdict configuration={found} />
          {found.state === "invalid" && <BrokenFile project={project} configuration={found} />}
          <Origin configuration={found} />
          {found.content && <Content title={t("config.inForce")} text={found.content} />}
        </>
      )}
    </QueryState>
  );
}

/** The newest version of the file, with the lines at fault marked. */
function BrokenFile({ project, configuration }: { project: Project; configuration: Configuration }) {
  const { t } = useTranslation();
  const file = useFile(project, configuration.path, configuration.fault ?? "");
  return (
    <QueryState query={file}>
      {(text) => <Content title={t("config.broken")} text={text} fault={configuration.fault} />}
    </QueryState>
  );
}

function Verdict({ configuration }: { configuration: Configuration }) {
  const { t } = useTranslation();
  const faults = parseFaults(configuration.fault);
  return (
    <>
      <Alert color={COLOURS[configuration.state]} title={t(`config.${configuration.state}`)} mb="md">
        {faults.length > 0 && (
          <ul className={classes.faults}>
            {faults.map((fault) => (
              <li key={fault.message}>{fault.message}</li>
            ))}
          </ul>
        )}
      </Alert>
      {configuration.warnings.length > 0 && (
        <Alert color="yellow" title={t("config.warnings")} mb="md">
          <ul className={classes.faults}>
            {configuration.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Alert>
      )}
    </>
  );
}

function Origin({ configuration }: { configuration: Configuration }) {
  const { t } = useTranslation();
  return (
    <dl className={classes.origin}>
      <dt>{t("config.path")}</dt>
      <dd>
        <code>{configuration.path}</code>
      </dd>
      <dt>{t("config.commit")}</dt>
      <dd>{configuration.commit_id ? <code>{configuration.commit_id}</code> : t("app.none")}</dd>
    </dl>
  );
}

/** Numbered lines, of which those at fault are marked. */
function Content({ title, text, fault = null }: { title: string; text: string; fault?: string | null }) {
  const marked = new Set(parseFaults(fault).map((each) => each.line));
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <section className={classes.section}>
      <h2 className={classes.heading}>{title}</h2>
      <pre className={classes.content} tabIndex={0} role="group" aria-label={title}>
        {lines.map((line, i) => (
          <div key={i} className={classes.line} data-fault={marked.has(i + 1) || undefined}>
            <span className={classes.number}>{i + 1}</span>
            <span>{line || " "}</span>
          </div>
        ))}
      </pre>
    </section>
  );
}
