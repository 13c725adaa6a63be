import type { Page, Session } from "./types";

/** What the server refused, or that it could not be asked (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

/** The text in an error's body: {"message": "..."}, {"message": {"name": ["..."]}} or {"error": "..."}. */
export function errorText(body: unknown): string | null {
  if (typeof body === "string") return body;
  if (Array.isArray(body)) return body.map(errorText).filter(Boolean).join(", ") || null;
  if (typeof body !== "object" || body === null) return null;
  const fields = body as Record<string, unknown>;
  if ("message" in fields) return errorText(fields.message);
  if ("error" in fields) return errorText(fields.error_description) ?? errorText(fields.error);
  const parts = Object.entries(fields).map(([key, value]) => `${key} ${errorText(value) ?? ""}`.trim());
  return parts.join("; ") || null;
}

/** The REST API, asked with the browser's session. */
export class Api {
  #csrf: string | null = null;

  /** `onSignedOut` is called when an answer says that the session is over. */
  constructor(private readonly onSignedOut: () => void) {}

  async session(): Promise<Session | null> {
    const response = await this.#fetch("GET", "/session");
    if (response.status === 401) return this.#keep(null);
    return this.#keep(await decode<Session>(response));
  }
  async signIn(login: string, password: string): Promise<Session | null> {
    return this.#keep(await decode<Session>(await this.#fetch("POST", "/session", { login, password })));
  }
  async signOut(): Promise<void> {
    const response = await this.#fetch("DELETE", "/session");
    if (response.status !== 401) await decode(response);
    this.#keep(null);
  }

  async get<T>(path: string): Promise<T> {
    return decode<T>(await this.#ask("GET", path));
  }
  async text(path: string): Promise<string> {
    const response = await this.#ask("GET", path);
    return response.ok ? response.text() : decode<string>(response);
  }
  async list<T>(path: string): Promise<Page<T>> {
    const response = await this.#ask("GET", path);
    const items = await decode<T[]>(response);
    const number = (name: string, otherwise: number) => Number(response.headers.get(name) ?? otherwise);
    return { items, total: number("x-total", items.length), pages: number("x-total-pages", 1) };
  }
  async post<T>(path: string, body: unknown): Promise<T> {
    return decode<T>(await this.#ask("POST", path, body));
  }
  async delete(path: string): Promise<void> {
    await decode(await this.#ask("DELETE", path));
  }

  #keep(session: Session | null): Session | null {
    this.#csrf = session?.csrf_token ?? null;
    return session;
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await this.#fetch(method, path, body);
    if (response.status === 401) this.onSignedOut();
    return response;
  }

  async #fetch(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (method !== "GET" && this.#csrf) headers["X-CSRF-Token"] = this.#csrf;
    try {
      return await fetch(`/api/v4${path}`, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin",
        cache: "no-store",
      });
    } catch (error) {
      throw new ApiError(0, error instanceof Error ? error.message : String(error));
    }
  }
}

async function decode<T>(response: Response): Promise<T> {
  const text = await response.text();
  const body: unknown = text.trim() === "" ? null : parse(text);
  if (response.ok) return body as T;
  const seconds = Number(response.headers.get("retry-after") ?? "");
  throw new ApiError(
    response.status,
    errorText(body) ?? `${response.status} ${response.statusText}`.trim(),
    seconds > 0 ? seconds : null,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
