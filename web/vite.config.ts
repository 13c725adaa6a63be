import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` shows the page from its sources, with the API of the server at TOWLINE_URL.
const server = process.env.TOWLINE_URL ?? "https://localhost:8150";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The server's Content-Security-Policy allows data: for images only, and no inline script.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/api": { target: server, secure: false } } },
  test: { include: ["src/**/*.test.ts"] },
});
