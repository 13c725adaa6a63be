// Starts real agents for the specs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { after } from "node:test";
import { URL_OF_SERVER, env } from "./browser.mjs";

const running = new Set();
after(() => Promise.all([...running].map((agent) => agent.stop())));

/** An agentk that connects with this token; stop() lets it say goodbye. */
export async function startAgent(token) {
  const port = await freePort();
  const file = `${env.TOWLINE_FOLDER}/token-${port}`;
  writeFileSync(file, token);
  const log = openSync(`${env.TOWLINE_FOLDER}/agentk-${port}.log`, "w");
  const address = `${URL_OF_SERVER.replace("https", "wss")}/-/kubernetes-agent/`;
  const child = spawn(
    `${env.TOWLINE_BIN}/agentk`,
    ["--kas-address", address, "--token-file", file, "--kubeconfig", env.TOWLINE_KUBECONFIG]
      .concat(["--kas-ca-cert-file", env.TOWLINE_CA, "--observability-listen-address", `127.0.0.1:${port}`]),
    { stdio: ["ignore", log, log], env: { ...env, POD_NAME: "agent-0", POD_NAMESPACE: "towline" } },
  );
  const agent = {
    async stop() {
      running.delete(agent);
      if (child.exitCode !== null || !child.kill("SIGTERM")) return;
      await once(child, "exit");
    },
  };
  running.add(agent);
  return agent;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
