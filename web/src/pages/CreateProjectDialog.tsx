import { NativeSelect, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import { useApi } from "../api/context";
import { useNamespaces } from "../api/queries";
import type { Namespace, Project, Visibility } from "../api/types";
import { Dialog, DialogForm } from "../components/Dialog";
import { ErrorAlert, QueryState } from "../components/QueryState";
import { pathFromName, projectUrl } from "../lib/paths";

const VISIBILITIES: Visibility[] = ["private", "internal", "public"];

export function CreateProjectDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const namespaces = useNamespaces();
  return (
    <Dialog opened title={t("projects.new")} onClose={onClose}>
      <QueryState query={namespaces}>{({ items }) => <Form namespaces={items} onClose={onClose} />}</QueryState>
    </Dialog>
  );
}

function Form({ namespaces, onClose }: { namespaces: Namespace[]; onClose: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [path, setPath] = useState<string | null>(null); // null: made from the name
  const [space, setSpace] = useState(String(namespaces[0]?.id ?? ""));
  const [visibility, setVisibility] = useState<Visibility>("private");
  const wanted = { name, path: path ?? pathFromName(name), namespace_id: Number(space), visibility };
  const create = useMutation({
    mutationFn: () => api.post<Project>("/projects", wanted),
    onSuccess: async (project) => {
      await queries.invalidateQueries({ queryKey: ["projects"] });
      await navigate(projectUrl(project.path_with_namespace));
    },
  });
  return (
    <DialogForm
      submit={t("projects.create")}
      busy={create.isPending}
      disabled={name.trim() === "" || wanted.path === ""}
      onSubmit={() => create.mutate()}
      onCancel={onClose}
    >
      <Stack>
        <ErrorAlert error={create.error} />
        <TextInput
          label={t("app.name")}
          required
          data-autofocus
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <NativeSelect
          label={t("projects.namespace")}
          data={namespaces.map((each) => ({ value: String(each.id), label: each.full_path }))}
          value={space}
          onChange={(event) => setSpace(event.currentTarget.value)}
        />
        <TextInput
          label={t("projects.path")}
          description={t("projects.pathHint")}
          required
          value={wanted.path}
          onChange={(event) => setPath(event.currentTarget.value)}
        />
        <NativeSelect
          label={t("projects.visibility")}
          data={VISIBILITIES.map((each) => ({ value: each, label: t(`visibility.${each}`) }))}
          value={visibility}
          onChange={(event) => setVisibility(event.currentTarget.value as Visibility)}
        />
      </Stack>
    </DialogForm>
  );
}
