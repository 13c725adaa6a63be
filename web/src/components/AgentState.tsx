import { Badge, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { AgentStatus, Configuration } from "../api/types";
import { parseFaults } from "../lib/faults";
import classes from "./AgentState.module.css";

const STATE_COLOURS = { connected: "green", disconnected: "red", never_connected: "gray" };
const VERDICT_COLOURS = { valid: "green", invalid: "red", absent: "gray" };

export function StateBadge({ status }: { status: AgentStatus }) {
  const { t } = useTranslation();
  return (
    <Badge variant="light" tt="none" className={classes.badge} color={STATE_COLOURS[status.state]}>
      {t(`state.${status.state}`)}
    </Badge>
  );
}

/** The versions of an agent's pods, and what is wrong with them. */
export function Versions({ status }: { status: AgentStatus }) {
  const { t } = useTranslation();
  return (
    <>
      <span>{status.versions.join(", ") || "–"}</span>
      {status.warnings.map((warning) => (
        <Text key={warning.message} size="sm" className={classes.warning}>
          <span aria-hidden="true">⚠ </span>
          {t(`warning.${warning.code}`)}
          <span className={classes.detail}>{warning.message}</span>
        </Text>
      ))}
    </>
  );
}

/** Where an agent's configuration is, and whether it is in force. */
export function ConfigurationVerdict({ configuration }: { configuration: Configuration }) {
  const { t } = useTranslation();
  return (
    <div className={classes.verdict}>
      <Badge variant="light" tt="none" className={classes.badge} color={VERDICT_COLOURS[configuration.state]}>
        {t(`configuration.${configuration.state}`)}
      </Badge>
      <code className={classes.path}>{configuration.path}</code>
      {parseFaults(configuration.fault).map((fault) => (
        <Text key={fault.message} size="sm" className={classes.fault}>
          {fault.message}
        </Text>
      ))}
      {configuration.warnings.map((warning) => (
        <Text key={warning} size="sm" className={classes.warning}>
          <span aria-hidden="true">⚠ </span>
          {warning}
        </Text>
      ))}
    </div>
  );
}
