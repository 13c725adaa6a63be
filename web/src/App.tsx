import { MantineProvider, createTheme } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useState } from "react";
import { I18nextProvider } from "react-i18next";
import { BrowserRouter, Route, Routes } from "react-router";
import { Api, ApiError } from "./api/client";
import { ApiProvider } from "./api/context";
import { sessionKey } from "./api/queries";
import { Layout } from "./components/Layout";
import { createI18n } from "./i18n";
import { AccessTokensPage } from "./pages/AccessTokensPage";
import { LoginPage } from "./pages/LoginPage";
import { ProjectPage } from "./pages/ProjectPage";
import { ProjectsPage } from "./pages/ProjectsPage";

const theme = createTheme({
  cursorType: "pointer",
  defaultRadius: "sm",
  respectReducedMotion: true,
});

function createServices() {
  const queries = new QueryClient({
    // A refusal stays one; what may pass by itself is tried once more.
    defaultOptions: {
      queries: {
        retry: (failures, error) =>
          failures < 1 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      },
    },
  });
  const api = new Api(() => queries.setQueryData(sessionKey, null));
  return { queries, api, i18n: createI18n(navigator.languages, localStorage) };
}

export function App() {
  const [{ queries, api, i18n }] = useState(createServices);
  return (
    <I18nextProvider i18n={i18n}>
      {/* Variables and classes come from style sheets: see page.css. */}
      <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
        <QueryClientProvider client={queries}>
          <ApiProvider value={api}>
            <BrowserRouter>
              <Routes>
                <Route path="/users/sign_in" element={<LoginPage />} />
                <Route element={<Layout />}>
                  <Route path="/" element={<ProjectsPage />} />
                  <Route path="/-/user_settings/personal_access_tokens" element={<AccessTokensPage />} />
                  <Route path="*" element={<ProjectPage />} />
                </Route>
              </Routes>
            </BrowserRouter>
          </ApiProvider>
        </QueryClientProvider>
      </MantineProvider>
    </I18nextProvider>
  );
}
