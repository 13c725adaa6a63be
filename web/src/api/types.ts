// What the REST API answers, as far as the page uses it.

export interface User {
  id: number;
  username: string;
  name: string;
}

export interface Session {
  user: User;
  csrf_token: string;
}

export interface Namespace {
  id: number;
  kind: "user" | "group";
  name: string;
  full_path: string;
}

export type Visibility = "private" | "internal" | "public";

interface Access {
  access_level: number;
}

export interface Project {
  id: number;
  name: string;
  description: string | null;
  path_with_namespace: string;
  default_branch: string;
  visibility: Visibility;
  http_url_to_repo: string;
  last_activity_at: string;
  namespace: Namespace;
  permissions?: { project_access: Access | null; group_access: Access | null };
}

export interface AgentWarning {
  code: "version_mismatch" | "versions_differ";
  message: string;
}

export interface AgentStatus {
  state: "connected" | "disconnected" | "never_connected";
  last_contact_at: string | null;
  versions: string[];
  warnings: AgentWarning[];
  connections: number;
}

export interface Configuration {
  state: "valid" | "invalid" | "absent";
  path: string;
  commit_id: string | null;
  fault: string | null;
  warnings: string[];
}

export interface Agent {
  id: number;
  name: string;
  created_at: string;
  status: AgentStatus;
  configuration: Configuration;
}

export interface ConfigurationFile {
  name: string;
  path: string;
  agent_id: number | null;
  /** Why no agent follows it, for a file that was probably meant to be one's configuration. */
  warning: string | null;
}

export interface AgentToken {
  id: number;
  name: string;
  description: string | null;
  status: "active" | "revoked";
  created_at: string;
  last_used_at?: string | null;
}

export interface NewAgentToken extends AgentToken {
  token: string;
  installation: { text: string; commands: string[] };
}

export interface Pod {
  pod_id: number | string;
  pod_name: string;
  pod_namespace: string;
  version: string;
  commit: string;
  connected_at: string;
  last_seen_at: string;
}

export interface Activity {
  id: number;
  kind: string;
  recorded_at: string;
  detail: string | null;
  user: { username: string; name: string } | null;
  agent_token: { id: number; name: string } | null;
}

export interface AccessToken {
  id: number;
  name: string;
  scopes: string[];
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
  active: boolean;
  revoked: boolean;
  token?: string;
}

/** One page of a list. */
export interface Page<T> {
  items: T[];
  total: number;
  pages: number;
}
