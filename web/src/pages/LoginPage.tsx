import { Alert, Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useSearchParams } from "react-router";
import { ApiError } from "../api/client";
import { useApi } from "../api/context";
import { sessionKey, useSession } from "../api/queries";
import { Heading } from "../components/Heading";
import { Preferences } from "../components/Layout";
import { useErrorText } from "../components/QueryState";
import { safeReturn } from "../lib/paths";
import classes from "./LoginPage.module.css";

export function LoginPage() {
  const { t } = useTranslation();
  const [parameters] = useSearchParams();
  const session = useSession();
  if (session.data) return <Navigate to={safeReturn(parameters.get("return_to"))} replace />;
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <img src="/favicon.svg" alt="Towline" width={48} height={48} />
        <Heading title={t("login.title")} />
        <LoginForm />
      </div>
      <Preferences />
    </main>
  );
}

function LoginForm() {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.signIn(login, password),
    onSuccess: (session) => {
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== sessionKey[0] }); // somebody else's
      queries.setQueryData(sessionKey, session);
    },
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate();
      }}
    >
      <Stack>
        {signIn.isError && <Refusal error={signIn.error} />}
        <TextInput
          label={t("login.login")}
          name="login"
          autoComplete="username"
          autoCapitalize="none"
          autoFocus
          required
          value={login}
          onChange={(event) => setLogin(event.currentTarget.value)}
        />
        <PasswordInput
          label={t("login.password")}
          name="password"
          autoComplete="current-password"
          required
          value={password}
          visibilityToggleButtonProps={{ "aria-label": t("login.show"), tabIndex: 0, "aria-hidden": false }}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" loading={signIn.isPending}>
          {t("login.submit")}
        </Button>
      </Stack>
    </form>
  );
}

function Refusal({ error }: { error: unknown }) {
  const { t } = useTranslation();
  const text = useErrorText();
  const message = () => {
    if (error instanceof ApiError && error.status === 401) return t("login.wrong");
    if (error instanceof ApiError && error.retryAfter) return t("login.tooMany", { seconds: error.retryAfter });
    return text(error);
  };
  return (
    <Alert color="red" role="alert">
      {message()}
    </Alert>
  );
}
