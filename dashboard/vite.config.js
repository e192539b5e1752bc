import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { defineConfig } from "vite";

const DIST = "../controller/src/dashboard/dist";

/** Sum over names and contents of all sources; a unit test of the hub compares it, without Node. */
function sumOfSources() {
  const inFolders = ["src", "public"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`),
  );
  const names = [...inFolders, "index.html", "package-lock.json", "vite.config.js"].sort();
  const sum = createHash("sha256");
  for (const name of names) sum.update(name).update("\0").update(readFileSync(name)).update("\0");
  return sum.digest("hex");
}

// Names without hashes: the server tags every file by its content, and a rebuilt page shows as a
// change of the same four files.
export default defineConfig({
  build: {
    outDir: DIST,
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    target: "es2022",
    rollupOptions: {
      output: {
        entryFileNames: "assets/app.js",
        chunkFileNames: "assets/chart.js",
        assetFileNames: (asset) =>
          asset.names.some((name) => name.startsWith("chart") || name.startsWith("uPlot"))
            ? "assets/chart[extname]"
            : "assets/app[extname]",
      },
    },
  },
  plugins: [
    {
      name: "sum-of-sources",
      apply: "build",
      closeBundle: () => writeFileSync(`${DIST}/sources.sha256`, `${sumOfSources()}\n`),
    },
  ],
  server: { proxy: { "/api": "http://127.0.0.1:9099" } },
});
