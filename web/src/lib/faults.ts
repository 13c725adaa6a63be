/** One line of a configuration's verdict, "path:line:column: message"; line 0 where it names none. */
export interface Fault {
  line: number;
  message: string;
}

export function parseFaults(text: string | null): Fault[] {
  return (text ?? "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((message) => ({ line: Number(message.match(/^[^:]*:(\d+)(?::\d+)?: /)?.[1] ?? 0), message }));
}
