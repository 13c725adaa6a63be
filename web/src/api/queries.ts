import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useApi } from "./context";
import type {
  AccessToken,
  Activity,
  Agent,
  AgentToken,
  Configuration,
  ConfigurationFile,
  Namespace,
  Pod,
  Project,
} from "./types";

// What is shown live is asked for again this often, while the page is visible.
const LIVE = { refetchInterval: 3000 };

export const PAGE_SIZE = 50;
export const MAINTAINER = 40;

export const sessionKey = ["session"];

export function useSession() {
  const api = useApi();
  return useQuery({ queryKey: sessionKey, queryFn: () => api.session(), staleTime: Infinity });
}

export function useProjects(search: string, page: number) {
  const api = useApi();
  const query = new URLSearchParams({ search, page: String(page), per_page: String(PAGE_SIZE) });
  return useQuery({
    queryKey: ["projects", search, page],
    queryFn: () => api.list<Project>(`/projects?${query}`),
    placeholderData: keepPreviousData,
  });
}

export function useNamespaces() {
  const api = useApi();
  return useQuery({ queryKey: ["namespaces"], queryFn: () => api.list<Namespace>("/namespaces?per_page=100") });
}

export function useProject(path: string) {
  const api = useApi();
  return useQuery({
    queryKey: ["project", path],
    queryFn: () => api.get<Project>(`/projects/${encodeURIComponent(path)}`),
  });
}

export function mayMaintain(project: Project): boolean {
  const { project_access, group_access } = project.permissions ?? {};
  return Math.max(project_access?.access_level ?? 0, group_access?.access_level ?? 0) >= MAINTAINER;
}

export const agentsPath = (projectId: number) => `/projects/${projectId}/cluster_agents`;
const agentPath = (projectId: number, agentId: number) => `${agentsPath(projectId)}/${agentId}`;

export function useAgents(projectId: number, page: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["agents", projectId, page],
    queryFn: () => api.list<Agent>(`${agentsPath(projectId)}?with_status=true&page=${page}&per_page=${PAGE_SIZE}`),
    placeholderData: keepPreviousData,
    ...LIVE,
  });
}

export function useAgent(projectId: number, agentId: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["agent", agentId],
    queryFn: () => api.get<Agent>(`${agentPath(projectId, agentId)}?with_status=true`),
    ...LIVE,
  });
}

export function useConfigurationFiles(projectId: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["configurations", projectId],
    queryFn: () => api.get<ConfigurationFile[]>(`${agentsPath(projectId)}/configurations?per_page=100`),
  });
}

/** The tokens of an agent, each with its last use, which only its own address tells. */
export function useAgentTokens(projectId: number, agentId: number) {
  const api = useApi();
  const path = `${agentPath(projectId, agentId)}/tokens`;
  const list = useQuery({
    queryKey: ["agent", agentId, "tokens"],
    queryFn: () => api.list<AgentToken>(path),
    ...LIVE,
  });
  const details = useQueries({
    queries: (list.data?.items ?? []).map((token) => ({
      queryKey: ["agent", agentId, "tokens", token.id],
      queryFn: () => api.get<AgentToken>(`${path}/${token.id}`),
      ...LIVE,
    })),
  });
  return { list, tokens: (list.data?.items ?? []).map((token, i) => details[i]?.data ?? token) };
}

export function useActivity(projectId: number, agentId: number, page: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["agent", agentId, "activity", page],
    queryFn: () => api.list<Activity>(`${agentPath(projectId, agentId)}/activity?page=${page}&per_page=${PAGE_SIZE}`),
    placeholderData: keepPreviousData,
    ...LIVE,
  });
}

export function useConfiguration(projectId: number, agentId: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["agent", agentId, "configuration"],
    queryFn: () => api.get<Configuration & { content: string | null }>(`${agentPath(projectId, agentId)}/configuration`),
    ...LIVE,
  });
}

/** The text of a file at the head of a branch; asked for again when `version` changes. */
export function useFile(project: Project, path: string, version: string) {
  const api = useApi();
  const query = new URLSearchParams({ ref: project.default_branch });
  return useQuery({
    queryKey: ["file", project.id, path, version],
    queryFn: () => api.text(`/projects/${project.id}/repository/files/${encodeURIComponent(path)}/raw?${query}`),
  });
}

export function usePods(projectId: number, agentId: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["agent", agentId, "connections"],
    queryFn: () => api.get<Pod[]>(`${agentPath(projectId, agentId)}/connections`),
    ...LIVE,
  });
}

export function useAccessTokens(userId: number, page: number) {
  const api = useApi();
  return useQuery({
    queryKey: ["access_tokens", userId, page],
    queryFn: () =>
      api.list<AccessToken>(
        `/personal_access_tokens?state=active&user_id=${userId}&page=${page}&per_page=${PAGE_SIZE}`,
      ),
    placeholderData: keepPreviousData,
  });
}
