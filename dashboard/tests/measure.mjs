// Figures with 1,000 rollouts in 50 clusters: weight, first paint, updates, memory.
// npm run measure; PROFILE=debug for a build without optimisation, RUNS and SPAN (seconds) for more.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import http from "node:http";
import { openPage, startBrowser, startFleet } from "./bed.mjs";

// Every figure is taken in RUNS fleets of its own; printed are the lowest, the median, the highest.
const RUNS = Number(process.env.RUNS ?? 5);
const SECONDS = Number(process.env.SPAN ?? 20);
const CHANGES_PER_SECOND = 50;
/** Dashboards that are open at once while the server's memory is looked at. */
const OPEN = [0, 1, 10];

const figures = new Map();
const note = (name, value, digits = 0) => {
  if (!figures.has(name)) figures.set(name, { values: [], digits });
  figures.get(name).values.push(value);
};

const browser = await startBrowser();
for (let run = 0; run < RUNS; run += 1) await measure();
await browser.close();
console.log(`${"".padEnd(58)} min / median / max of ${RUNS}`);
for (const [name, { values, digits }] of figures) {
  values.sort((a, b) => a - b);
  const three = [values[0], values[Math.floor(values.length / 2)], values[values.length - 1]];
  console.log(`${name.padEnd(58)} ${three.map((value) => value.toFixed(digits)).join(" / ")}`);
}

/** Size on the wire, size in the page, milliseconds. */
function fetched(fleet, path) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const headers = { authorization: "Bearer viewer", "accept-encoding": "gzip" };
    http.get(fleet.url + path, { headers }, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => {
        const ms = performance.now() - started;
        const wire = Buffer.concat(pieces);
        resolve({ wire: wire.length, plain: gunzipSync(wire).length, ms });
      });
    }).on("error", reject);
  });
}

/** What an open dashboard asks of the server: everything once, and then every change. */
async function followed(fleet) {
  const headers = { authorization: "Bearer viewer" };
  const { cursor } = await (await fetch(`${fleet.url}/api/v1/snapshot`, { headers })).json();
  return new Promise((resolve, reject) => {
    const request = http.get(`${fleet.url}/api/v1/stream`, { headers: { ...headers, "last-event-id": cursor } }, (answer) => {
      answer.resume();
      answer.on("error", () => {});
      if (answer.statusCode === 200) resolve(request);
      else reject(new Error(`the stream was answered ${answer.statusCode}`));
    });
    request.on("error", reject);
  });
}

async function measure() {
  const fleet = await startFleet({
    profile: process.env.PROFILE ?? "release",
    args: ["--rollouts", "991", "--clusters", "50", "--changes-per-second", String(CHANGES_PER_SECOND)],
  });
  const status = (field) => {
    const line = readFileSync(`/proc/${fleet.pid}/status`, "utf8").split("\n").find((line) => line.startsWith(field));
    return Number(line?.split(/\s+/)[1] ?? 0) / 1024;
  };
  const ticks = () => {
    const fields = readFileSync(`/proc/${fleet.pid}/stat`, "utf8").split(") ")[1].split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  /** The median of once a second: the fleet moves all the time. */
  const resident = async (seconds) => {
    const seen = [];
    for (let second = 0; second < seconds; second += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      seen.push(status("VmRSS"));
    }
    return seen.sort((a, b) => a - b)[Math.floor(seen.length / 2)];
  };

  const readers = [];
  for (const count of OPEN) {
    while (readers.length < count) readers.push(await followed(fleet));
    note(`server: resident with ${count} dashboards open, MiB (with the fleet)`, await resident(10), 1);
  }
  for (const reader of readers) reader.destroy();

  await fetched(fleet, "/api/v1/snapshot");
  const { page, context } = await openPage(browser, fleet);
  const protocol = await context.newCDPSession(page);
  await protocol.send("Performance.enable");
  const metrics = async () => {
    const { metrics } = await protocol.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  };
  const heapMb = async () => {
    await protocol.send("HeapProfiler.collectGarbage");
    return (await metrics()).JSHeapUsedSize / 1e6;
  };

  await page.goto(fleet.url, { waitUntil: "commit" });
  await page.locator("tbody [data-row]").first().waitFor();
  const paint = await page.evaluate(() => ({
    first: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN,
    table: performance.now(),
  }));
  note("first contentful paint, ms", paint.first);
  note("table with live rows, ms", paint.table);
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
  note("rows in the page", await page.locator("tbody [data-row]").count());
  note("elements in the page", await page.evaluate(() => document.querySelectorAll("*").length));

  const snapshot = await fetched(fleet, "/api/v1/snapshot");
  note("snapshot: kB on the wire", snapshot.wire / 1e3);
  note("snapshot: kB in the page", snapshot.plain / 1e3);
  note("snapshot, ms", snapshot.ms);
  note(`stream: frames per second (${CHANGES_PER_SECOND} changes per second)`, counted.frames / SECONDS, 1);
  note("stream: rows changed per second", counted.rows / SECONDS, 1);
  note("stream: kB per second", counted.bytes / SECONDS / 1e3);
  note("redraws of the table per second", redraws / SECONDS, 1);
  note("page: main thread busy, %", (100 * busy) / wall, 1);
  note("page: tasks over 50 ms", longest.length);
  note("page: longest task, ms (0: none over 50)", Math.max(0, ...longest));
  note("page: heap at the start, MB", heapStart, 1);
  note("page: heap after the updates, MB", heapEnd, 1);
  note("server: CPU, % of one core (with the fleet)", (100 * cpu) / wall, 1);
  note("server: resident at most, MiB (with the fleet)", status("VmHWM"), 1);
  await context.close();
  await fleet.stop();
}
