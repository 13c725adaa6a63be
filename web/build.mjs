// usage: node build.mjs FOLDER CHARTS: checks the types, builds the page and leaves pages.bin and pages.cc in the
// folder. The files of CHARTS are served below /charts/.
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "vite";
import { embed } from "./embed.mjs";

const out = resolve(process.argv[2] ?? "dist");
const types = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "--noEmit"], { stdio: "inherit" });
if (types.status !== 0) process.exit(1);
await build({ logLevel: "warn", build: { outDir: join(out, "dist"), emptyOutDir: true } });
cpSync(resolve(process.argv[3]), join(out, "dist", "charts"), { recursive: true });
embed(join(out, "dist"), out);
