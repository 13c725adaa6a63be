import { ActionIcon, Anchor, Button, Text, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link, NavLink, Navigate, Outlet, useLocation } from "react-router";
import { useApi } from "../api/context";
import { sessionKey, useSession } from "../api/queries";
import { LANGUAGES, setLanguage, type Language } from "../i18n";
import { QueryState } from "./QueryState";
import classes from "./Layout.module.css";

export function Layout() {
  const { t } = useTranslation();
  const session = useSession();
  const { pathname, search } = useLocation();
  const content = useFocusOnChange(pathname);
  if (session.data === null) {
    return <Navigate to={`/users/sign_in?return_to=${encodeURIComponent(pathname + search)}`} replace />;
  }
  return (
    <>
      <a className={classes.skip} href="#content">
        {t("app.skip")}
      </a>
      <header className={classes.header}>
        <Link to="/" className={classes.brand}>
          <img src="/favicon.svg" alt="" width={26} height={26} />
          Towline
        </Link>
        <nav aria-label={t("app.navigation")} className={classes.nav}>
          <NavLink to="/" end>
            {t("projects.title")}
          </NavLink>
          <NavLink to="/-/user_settings/personal_access_tokens">{t("pat.title")}</NavLink>
        </nav>
        <Preferences />
        {session.data && <SignOut name={session.data.user.username} />}
      </header>
      <main id="content" ref={content} tabIndex={-1} className={classes.main}>
        <QueryState query={session}>{() => <Outlet />}</QueryState>
      </main>
    </>
  );
}

/** An element that takes the focus when the address has changed, as a browser would do for a new page. */
function useFocusOnChange(address: string) {
  const element = useRef<HTMLElement>(null);
  const last = useRef(address);
  useEffect(() => {
    if (last.current === address) return;
    last.current = address;
    element.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [address]);
  return element;
}

/** Language and colours. */
export function Preferences() {
  const { t, i18n } = useTranslation();
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const scheme = useComputedColorScheme("light", { getInitialValueInEffect: false });
  const label = t(scheme === "dark" ? "app.light" : "app.dark");
  return (
    <div className={classes.preferences}>
      <select
        aria-label={t("app.language")}
        className={classes.language}
        value={i18n.language}
        onChange={(event) => setLanguage(i18n, event.currentTarget.value as Language)}
      >
        {Object.entries(LANGUAGES).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
      <ActionIcon
        variant="default"
        size="lg"
        aria-label={label}
        title={label}
        onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
      >
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" strokeWidth="1.5" />
          <path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
        </svg>
      </ActionIcon>
    </div>
  );
}

function SignOut({ name }: { name: string }) {
  const { t } = useTranslation();
  const api = useApi();
  const queries = useQueryClient();
  const signOut = useMutation({
    mutationFn: () => api.signOut(),
    onSuccess: () => queries.setQueryData(sessionKey, null),
  });
  return (
    <div className={classes.user}>
      <Text component="span" size="sm" title={t("app.signedInAs", { name })}>
        {name}
      </Text>
      <Button variant="default" size="xs" loading={signOut.isPending} onClick={() => signOut.mutate()}>
        {t("app.signOut")}
      </Button>
    </div>
  );
}

/** A link within the page that looks like one. */
export function PageLink({ to, children, className }: { to: string; children: React.ReactNode; className?: string }) {
  return (
    <Anchor component={Link} to={to} className={className} inherit>
      {children}
    </Anchor>
  );
}
