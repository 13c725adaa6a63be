import { Title } from "@mantine/core";
import { useEffect, type ReactNode } from "react";
import classes from "./Heading.module.css";

/** The heading of a view, which also names the browser's tab; `children` stand at its right end. */
export function Heading({ title, before, children }: { title: string; before?: ReactNode; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Towline`;
  }, [title]);
  return (
    <>
      {before}
      <div className={classes.heading}>
        <Title order={1} size="h2">
          {title}
        </Title>
        {children}
      </div>
    </>
  );
}
