import { useTranslation } from "react-i18next";
import { usePods } from "../../api/queries";
import type { Pod } from "../../api/types";
import { DataTable } from "../../components/DataTable";
import { QueryState } from "../../components/QueryState";
import { RelativeTime } from "../../components/RelativeTime";
import type { AgentTabProps } from "../AgentPage";

export function PodsTab({ project, agentId }: AgentTabProps) {
  const { t } = useTranslation();
  const pods = usePods(project.id, agentId);
  const columns = [
    { title: t("pods.pod"), cell: (pod: Pod) => pod.pod_name || t("pods.unnamed") },
    { title: t("pods.namespace"), cell: (pod: Pod) => pod.pod_namespace || "–" },
    { title: t("pods.version"), cell: (pod: Pod) => pod.version || "–" },
    { title: t("pods.commit"), cell: (pod: Pod) => <code>{pod.commit || "–"}</code> },
    { title: t("pods.since"), cell: (pod: Pod) => <RelativeTime iso={pod.connected_at} /> },
    { title: t("pods.seen"), cell: (pod: Pod) => <RelativeTime iso={pod.last_seen_at} /> },
  ];
  return (
    <QueryState query={pods}>
      {(items) => (
        <DataTable
          caption={t("pods.caption")}
          columns={columns}
          items={items}
          keyOf={(pod) => pod.pod_id}
          none={t("pods.none")}
        />
      )}
    </QueryState>
  );
}
