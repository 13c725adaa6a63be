/** An address within a project: "/group/project/-/clusters/7" has project "group/project" and view ["clusters", "7"]. */
export interface ProjectAddress {
  project: string;
  view: string[];
}

export function parseProjectAddress(pathname: string): ProjectAddress | null {
  const [before = "", ...after] = pathname.split("/-/");
  const parts = before.split("/").filter((part) => part !== "");
  if (parts.length < 2) return null;
  const view = after.join("/-/").split("/");
  return {
    project: parts.map(decode).join("/"),
    view: view.filter((part) => part !== "").map(decode),
  };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function projectUrl(project: string, ...view: (string | number)[]): string {
  const path = "/" + project.split("/").map(encodeURIComponent).join("/");
  return view.length === 0 ? path : `${path}/-/${view.map((part) => encodeURIComponent(part)).join("/")}`;
}

/** Where to go after the log-in: only within this server. */
export function safeReturn(wanted: string | null): string {
  return wanted && /^\/(?![/\\])/.test(wanted) ? wanted : "/";
}

/** As the server makes a path from a project's name. */
export function pathFromName(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9_.]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
}
