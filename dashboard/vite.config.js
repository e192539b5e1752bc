import { defineConfig } from "vite";

// Names without hashes: the server tags every file by its content, and a rebuilt page shows as a
// change of the same four files.
export default defineConfig({
  build: {
    outDir: "../controller/src/dashboard/dist",
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
  server: { proxy: { "/api": "http://127.0.0.1:9099" } },
});
