/** Which rule of RFC 1123 labels a name breaks; the server has the same rules in the same order. */
export type NameProblem = "empty" | "long" | "upper" | "characters" | "start" | "end";

export const MAX_AGENT_NAME = 63;

export function agentNameProblem(name: string): NameProblem | null {
  if (name === "") return "empty";
  if (name.length > MAX_AGENT_NAME) return "long";
  const bad = name.match(/[^a-z0-9-]/);
  if (bad) return /[A-Z]/.test(bad[0]) ? "upper" : "characters";
  if (name.startsWith("-")) return "start";
  if (name.endsWith("-")) return "end";
  return null;
}
