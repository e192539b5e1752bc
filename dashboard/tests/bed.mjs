// A fleet in memory, and a browser in front of it.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const RESULTS = here("../test-results/");
mkdirSync(RESULTS, { recursive: true });

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A browser reports every refusal, which is looked at where it is caused; and without TLS, that
 * only TLS would let it keep other windows away. */
const EXPECTED = ["Failed to load resource", "Cross-Origin-Opener-Policy header has been ignored"];

/** Longest wait for something that has to come, in milliseconds. */
export const PATIENCE_MS = 15_000;

/** A large fleet takes a while on a busy machine. */
const START_MS = 90_000;

/** Starts the fleet; its address, what it printed, and how to end it. */
export async function startFleet(...more) {
  const { profile = "debug", args = more } = typeof more[0] === "object" ? more[0] : {};
  const target = process.env.CARGO_TARGET_DIR ?? here("../../target");
  const program = `${target}/${profile}/examples/dashboard-fleet`;
  if (!existsSync(program)) throw new Error(`${program} is missing: run npm test, which builds it`);
  const listen = args.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"];
  const child = spawn(program, [...listen, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let code = null;
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the fleet does not start")), START_MS);
    child.once("exit", () => reject(new Error("the fleet ended at its start")));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("code ")) code = line.slice(5);
      if (!line.startsWith("listening ")) return;
      clearTimeout(timer);
      resolve(line.slice("listening ".length));
    });
  });
  // A test that fails leaves no fleet behind, and no process that waits for one.
  process.once("exit", () => child.kill("SIGKILL"));
  child.unref();
  child.stdout.unref();
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  return { url, code, pid: child.pid, stop };
}

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? BROWSERS.find(existsSync);
  if (!executablePath) throw new Error("no chromium: apt-get install chromium, or set CHROMIUM");
  return chromium.launch({ executablePath, args: ARGUMENTS });
}

/** A page of its own that is signed in; what went wrong in it is collected in `problems`. */
export async function openPage(browser, fleet, options = {}) {
  const { token = "operator", theme = "light", width = 1360, height = 900 } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: "reduce" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const problems = [];
  const hosts = new Set();
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED.some((text) => message.text().includes(text))) problems.push(message.text());
  });
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(fleet.url);
  if (token) {
    await page.getByLabel(/token|code/i).fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
  }
  await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
  return { page, context, problems, hosts };
}

/** A fleet and a browser for all tests of a file: the fleet's address, and pages as of `openPage`. */
export function useBed(...args) {
  let [fleet, browser] = [null, null];
  before(async () => {
    fleet = await startFleet(...args);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    await fleet?.stop();
  });
  return {
    get url() {
      return fleet.url;
    },
    open: (options) => openPage(browser, fleet, options),
    /** A page in front of another fleet. */
    openOn: (other, options) => openPage(browser, other, options),
  };
}
