// Figures with 1,000 rollouts in 50 clusters: weight, first paint, updates, memory.
// npm run measure; PROFILE=debug for a build without optimisation.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import http from "node:http";
import { openPage, startBrowser, startFleet } from "./bed.mjs";

const SECONDS = 30;
const CHANGES_PER_SECOND = 50;
const fleet = await startFleet({
  profile: process.env.PROFILE ?? "release",
  args: ["--rollouts", "991", "--clusters", "50", "--changes-per-second", String(CHANGES_PER_SECOND)],
});
const browser = await startBrowser();

const status = (field) => {
  const line = readFileSync(`/proc/${fleet.pid}/status`, "utf8").split("\n").find((line) => line.startsWith(field));
  return Math.round(Number(line?.split(/\s+/)[1] ?? 0) / 1024);
};
const ticks = () => {
  const fields = readFileSync(`/proc/${fleet.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
};

/** Size on the wire, size in the page, milliseconds. */
function fetched(path) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const headers = { authorization: "Bearer viewer", "accept-encoding": "gzip" };
    http.get(fleet.url + path, { headers }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => {
        const ms = performance.now() - started;
        const wire = Buffer.concat(pieces);
        resolve({ wire: wire.length, plain: gunzipSync(wire).length, ms: Math.round(ms) });
      });
    }).on("error", reject);
  });
}

await fetched("/api/v1/snapshot");
const { page, context } = await openPage(browser, fleet);
const protocol = await context.newCDPSession(page);
await protocol.send("Performance.enable");
const metrics = async () => {
  const { metrics } = await protocol.send("Performance.getMetrics");
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
};
const heapMb = async () => {
  await protocol.send("HeapProfiler.collectGarbage");
  return Math.round((await metrics()).JSHeapUsedSize / 1e6);
};

const paints = [];
for (let round = 0; round < 5; round += 1) {
  await page.goto(fleet.url, { waitUntil: "commit" });
  await page.locator("tbody [data-row]").first().waitFor();
  paints.push(
    await page.evaluate(() => ({
      first: Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN),
      table: Math.round(performance.now()),
    })),
  );
}
paints.sort((a, b) => a.table - b.table);
const heapStart = await heapMb();

await page.evaluate(() => {
  globalThis.longest = [];
  new PerformanceObserver((list) => list.getEntries().forEach((entry) => globalThis.longest.push(entry.duration))).observe({ entryTypes: ["longtask"] });
  globalThis.redraws = 0;
  new MutationObserver(() => (globalThis.redraws += 1)).observe(document.querySelector("tbody"), { subtree: true, childList: true, attributes: true, characterData: true });
});
const [busyStart, ticksStart, started] = [(await metrics()).TaskDuration, ticks(), performance.now()];
const counted = await page.evaluate(async (seconds) => {
  const stop = new AbortController();
  const { cursor } = await (await fetch("/api/v1/snapshot")).json();
  const response = await fetch("/api/v1/stream", { headers: { "last-event-id": cursor }, signal: stop.signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  setTimeout(() => stop.abort(), seconds * 1000);
  let [frames, rows, bytes] = [0, 0, 0];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes += value.length;
      frames += value.split("event: frame").length - 1;
      rows += value.split('"goingBack"').length - 1;
    }
  } catch {}
  return { frames, rows, bytes };
}, SECONDS);
const wall = (performance.now() - started) / 1000;
const busy = (await metrics()).TaskDuration - busyStart;
const cpu = (ticks() - ticksStart) / 100;
const { redraws, longest } = await page.evaluate(() => ({ redraws: globalThis.redraws, longest: globalThis.longest }));
const heapEnd = await heapMb();
await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
// The last row of the last namespace.
await page.getByText("service-0959").waitFor();
const inPage = await page.locator("tbody [data-row]").count();
const elements = await page.evaluate(() => document.querySelectorAll("*").length);

const snapshot = await fetched("/api/v1/snapshot");
const row = (name, value) => console.log(`${name.padEnd(58)} ${value}`);
row("snapshot, kB on the wire / in the page", `${Math.round(snapshot.wire / 1e3)} / ${Math.round(snapshot.plain / 1e3)}`);
row("snapshot, ms", snapshot.ms);
row("first contentful paint, ms (median of 5)", paints[2].first);
row("table with live rows, ms (median of 5)", paints[2].table);
row("rows / elements in the page", `${inPage} / ${elements}`);
row(`frames per second (${CHANGES_PER_SECOND} changes per second)`, (counted.frames / SECONDS).toFixed(1));
row("rows changed per second, kB per second", `${(counted.rows / SECONDS).toFixed(0)}, ${Math.round(counted.bytes / SECONDS / 1e3)}`);
row("redraws of the table per second", (redraws / SECONDS).toFixed(1));
row("page: main thread busy, %", Math.round((100 * busy) / wall));
row("page: tasks over 50 ms, longest in ms", `${longest.length}, ${Math.round(Math.max(0, ...longest))}`);
row("page: heap in MB, at the start / after the updates", `${heapStart} / ${heapEnd}`);
row("server: CPU, % of one core (with the fleet in memory)", Math.round((100 * cpu) / wall));
row("server: resident now / at most, MB (with the fleet)", `${status("VmRSS")} / ${status("VmHWM")}`);
await browser.close();
await fleet.stop();
