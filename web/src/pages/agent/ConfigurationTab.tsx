import { Alert } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useConfiguration } from "../../api/queries";
import type { Configuration } from "../../api/types";
import { QueryState } from "../../components/QueryState";
import { parseFaults } from "../../lib/faults";
import type { AgentTabProps } from "../AgentPage";
import classes from "./ConfigurationTab.module.css";

const COLOURS = { valid: "green", invalid: "red", absent: "gray" };

export function ConfigurationTab({ project, agentId }: AgentTabProps) {
  const configuration = useConfiguration(project.id, agentId);
  return (
    <QueryState query={configuration}>
      {(found) => (
        <>
          <Verdict configuration={found} />
          <Origin configuration={found} />
          {found.content !== null && found.content !== undefined && found.content !== "" && (
            <Content text={found.content} fault={found.fault} />
          )}
        </>
      )}
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

/** The file with numbered lines, of which those at fault are marked. */
function Content({ text, fault }: { text: string; fault: string | null }) {
  const { t } = useTranslation();
  const marked = new Set(parseFaults(fault).map((each) => each.line));
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <>
      <h2 className={classes.heading}>{t("config.content")}</h2>
      <pre className={classes.content} tabIndex={0} role="group" aria-label={t("config.content")}>
        {lines.map((line, i) => (
          <div key={i} className={classes.line} data-fault={marked.has(i + 1) || undefined}>
            <span className={classes.number}>{i + 1}</span>
            <span>{line || " "}</span>
          </div>
        ))}
      </pre>
    </>
  );
}
