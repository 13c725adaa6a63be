import { Checkbox, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useApi } from "../api/context";
import type { AccessToken } from "../api/types";
import { Dialog, DialogForm } from "../components/Dialog";
import { ErrorAlert } from "../components/QueryState";
import { Secret } from "../components/Secret";
import { dayAfter } from "../lib/time";

const SCOPES = ["api", "read_api", "k8s_proxy", "read_repository", "write_repository"] as const;
const USUAL_DAYS = 30;

export function CreateAccessTokenDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation();
  const [made, setMade] = useState<AccessToken | null>(null);
  return (
    <Dialog
      opened
      title={made ? t("pat.created", { name: made.name }) : t("pat.new")}
      onClose={onClose}
      closeOnClickOutside={made === null}
    >
      {made ? <Secret token={made.token ?? ""} onClose={onClose} /> : <Form onDone={setMade} onClose={onClose} />}
    </Dialog>
  );
}

function Form({ onDone, onClose }: { onDone: (token: AccessToken) => void; onClose: () => void }) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<string[]>([]);
  const [expires, setExpires] = useState(() => dayAfter(Date.now(), USUAL_DAYS));
  const [touched, setTouched] = useState(false);
  const create = useMutation({
    mutationFn: () => api.post<AccessToken>("/user/personal_access_tokens", { name, scopes, expires_at: expires }),
    onSuccess: async (token) => {
      onDone(token);
      await queries.invalidateQueries({ queryKey: ["access_tokens"] });
    },
  });
  const complete = name.trim() !== "" && scopes.length > 0 && expires !== "";
  return (
    <DialogForm
      submit={t("pat.create")}
      busy={create.isPending}
      onSubmit={() => {
        setTouched(true);
        if (complete) create.mutate();
      }}
      onCancel={onClose}
    >
      <Stack>
        <ErrorAlert error={create.error} />
        <TextInput
          label={t("app.name")}
          required
          data-autofocus
          value={name}
          error={touched && name.trim() === "" ? t("app.required") : null}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Checkbox.Group
          label={t("pat.scopes")}
          required
          value={scopes}
          error={touched && scopes.length === 0 ? t("pat.scopesMissing") : null}
          onChange={setScopes}
        >
          <Stack gap="xs" mt="xs">
            {SCOPES.map((scope) => (
              <Checkbox key={scope} value={scope} label={scope} description={t(`scope.${scope}`)} />
            ))}
          </Stack>
        </Checkbox.Group>
        <TextInput
          type="date"
          label={t("pat.expires")}
          required
          min={dayAfter(Date.now(), 1)}
          value={expires}
          error={touched && expires === "" ? t("app.required") : null}
          onChange={(event) => setExpires(event.currentTarget.value)}
        />
      </Stack>
    </DialogForm>
  );
}
