// Puts the files of a folder into pages.bin, and where each of them is into pages.cc, for src/web/.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join, posix } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".tgz": "application/gzip",
  ".txt": "text/plain; charset=utf-8",
  ".woff2": "font/woff2",
  ".yaml": "text/yaml; charset=utf-8",
};

function files(folder, prefix = "/") {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory()
        ? files(join(folder, entry.name), posix.join(prefix, entry.name, "/"))
        : [{ path: prefix + entry.name, content: readFileSync(join(folder, entry.name)) }],
    );
}

/** Deterministic: the same files give the same two outputs. */
export function embed(folder, outFolder) {
  const pieces = [];
  let offset = 0;
  const place = (content) => {
    const at = offset;
    pieces.push(content);
    offset += content.length;
    return `part(${at}, ${content.length})`;
  };
  const rows = files(folder).map(({ path, content }) => {
    const type = TYPES[extname(path)];
    if (!type) throw new Error(`embed.mjs knows no content type for ${path}`);
    const zipped = gzipSync(content, { level: 9 });
    const etag = createHash("sha256").update(content).digest("hex").slice(0, 32);
    const small = zipped.length < content.length * 0.9;
    const immutable = path.startsWith("/assets/");
    return `      {"${path}", "${type}", "${etag}", ${immutable}, ${place(content)}, ${small ? place(zipped) : "{}"}},`;
  });
  writeFileSync(join(outFolder, "pages.bin"), Buffer.concat(pieces));
  writeFileSync(join(outFolder, "pages.cc"), source(rows));
}

function source(rows) {
  return `// Made by web/embed.mjs.
#include <array>
#include <cstddef>

#include "web/asset.h"

extern "C" const char towline_web_pages[];

namespace towline::web {
namespace {
std::string_view part(std::size_t offset, std::size_t size) { return {towline_web_pages + offset, size}; }
}  // namespace

std::span<const Asset> assets() {
  static const std::array<Asset, ${rows.length}> all{{
${rows.join("\n")}
  }};
  return all;
}

}  // namespace towline::web
`;
}
