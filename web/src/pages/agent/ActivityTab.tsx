import { Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useActivity } from "../../api/queries";
import type { Activity } from "../../api/types";
import { Pages } from "../../components/Pages";
import { QueryState } from "../../components/QueryState";
import { RelativeTime } from "../../components/RelativeTime";
import { en } from "../../i18n/en";
import type { AgentTabProps } from "../AgentPage";
import classes from "./ActivityTab.module.css";

export function ActivityTab({ project, agentId }: AgentTabProps) {
  const { t } = useTranslation();
  const [page, setPage] = useState(1);
  const activity = useActivity(project.id, agentId, page);
  return (
    <QueryState query={activity}>
      {({ items, pages }) => (
        <>
          <Text size="sm" c="dimmed" mb="sm">
            {items.length === 0 ? t("activity.none") : t("activity.caption")}
          </Text>
          <ol className={classes.list} aria-label={t("activity.caption")}>
            {items.map((event) => (
              <Event key={event.id} event={event} />
            ))}
          </ol>
          <Pages page={page} pages={pages} onChange={setPage} />
        </>
      )}
    </QueryState>
  );
}

function Event({ event }: { event: Activity }) {
  const { t } = useTranslation();
  const token = event.agent_token?.name;
  const title = `activity.${event.kind}` as keyof typeof en;
  return (
    <li className={classes.event} data-kind={event.kind}>
      <div>
        {/* A newer server may know kinds that this page does not. */}
        <strong>{title in en ? t(title) : event.kind}</strong> {event.user && t("activity.by", { name: event.user.name })}
        {token && <p>{t("activity.token", { name: token })}</p>}
        {event.detail && event.detail !== token && <p className={classes.detail}>{event.detail}</p>}
      </div>
      <RelativeTime iso={event.recorded_at} />
    </li>
  );
}
