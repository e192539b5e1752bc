// Pictures of a real fleet for the documentation, in both themes: follows the tutorial and takes
// each when the fleet shows what it is for.
//   npm run pictures -- ENV HUB
// ENV is the file of the line that `cargo xtask demo --hold` prints (`. ENV`), HUB the address of
// the hub's dashboard that it prints.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { openPage, RESULTS, startBrowser } from "../bed.mjs";

const [environment, hub] = process.argv.slice(2);
if (!environment || !hub) throw new Error("usage: npm run pictures -- ENV HUB, see the head of this file");

const ROLLOUT = "/rollouts/shop/checkout";
/** The longest command waits for a whole release. */
const COMMAND_MS = 360_000;
/** Approvals that are given one after the other: two clusters, and some that were late. */
const ROUNDS_MAX = 8;
/** A step shows evidence after some ten windows of a second, its forecast needs more. */
const SHOWN_MS = 90_000;

/** Which screen, and what it has to show before it is taken. `ofHub`: only the hub keeps that. */
const PICTURES = {
  rollout: { path: ROLLOUT, shows: /Abort attempt/ },
  approval: { path: ROLLOUT, shows: /awaits approval/ },
  approve: { path: ROLLOUT, press: /^Approve/, shows: /Bad of all/ },
  plan: { path: `${ROLLOUT}/plan?rps=50&errors=0.5`, shows: /Shown good: a release/, ofHub: true },
  aborted: { path: ROLLOUT, shows: /Taken back/ },
  abort: { path: ROLLOUT, press: /^Abort attempt/, shows: /The same from a terminal/ },
  history: { path: `${ROLLOUT}/history`, shows: /RolloutStarted/ },
  analysis: { path: `${ROLLOUT}/analysis`, shows: /Evidence that it is worse/, ofHub: true },
};

const folder = mkdtempSync(join(tmpdir(), "pictures-"));
const manifest = join(folder, "checkout.yaml");
const browser = await startBrowser();
const plugin = await ownDashboard();
try {
  await story();
} finally {
  plugin.child.kill("SIGTERM");
  await browser.close();
  rmSync(folder, { recursive: true });
}

async function story() {
  const page = readFileSync(new URL("../../../docs/tutorial.md", import.meta.url), "utf8");
  const quick = page.match(/```yaml checkout\.yaml\n(.*?)```/s)[1];
  // Steps that bake for half a minute have traffic to show and to forecast with; one asks a person.
  const slow = quick.replaceAll("time: 3s", "time: 30s").replace("weight: 50\n", "weight: 50\n        approval: After\n");
  await apply(slow);
  await until("paused");
  await take("approval", "approve", "plan");
  await shell("kubectl lockflight promote checkout");
  // The wave asks before it starts, and moves while these two are taken.
  await until("paused");
  await shell("kubectl lockflight promote checkout");
  await shell("kubectl wait rollouts.lockflight.dev/checkout --for=jsonpath='{.status.members[1].step}'=2 --timeout=120s");
  await take("rollout", "abort");
  await approveTheRest();
  await apply(quick.replaceAll("v4", "v5").replace('value: "0"', 'value: "0.1"'));
  await until("completed", 3);
  await take("aborted", "analysis", "history");
}

/** Both clusters of the wave ask, each when it is ready. */
async function approveTheRest() {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    if ((await until("paused")).includes("Completed")) return;
    const { stdout } = await run("kubectl get rollouts.lockflight.dev/checkout -o jsonpath='{.status.waiting[*].token}'");
    for (const token of stdout.split(" ").filter(Boolean)) {
      await shell(`{ kubectl lockflight promote checkout --token ${token} || true; }`);
    }
  }
  throw new Error("the release does not come to its end");
}

/** With `kubectl` and its plugin as the demo gives them. */
async function shell(command) {
  console.log(`$ ${command}`);
  const { stdout } = await run(command);
  console.log(stdout.trim());
  return stdout;
}

function run(command) {
  const script = `. "$0" && kubectl config set-context --current --namespace shop >/dev/null && ${command}`;
  return promisify(execFile)("bash", ["-c", script, environment], { cwd: folder, timeout: COMMAND_MS });
}

async function apply(text) {
  writeFileSync(manifest, text);
  await shell("kubectl apply --server-side -f checkout.yaml");
}

/** Follows the release to this state; `code` is what the command ends with. */
function until(state, code = 0) {
  return shell(`{ kubectl lockflight status checkout --until ${state} --timeout 5m; test $? = ${code}; }`);
}

/** The page with the user's own rights. */
async function ownDashboard() {
  const script = `. "$0" && exec kubectl lockflight dashboard --no-open --port 0`;
  const child = spawn("bash", ["-c", script, environment], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const url = (await lines.next()).value;
  const code = (await lines.next()).value?.replace(/^code: /, "");
  if (!code) throw new Error("kubectl lockflight dashboard does not start");
  return { child, url, code };
}

async function take(...names) {
  for (const name of names) {
    await Promise.all(["light", "dark"].map((theme) => takeOne(name, theme)));
    console.log(`took ${name}`);
  }
}

async function takeOne(name, theme) {
  const { path, press, shows, ofHub } = PICTURES[name];
  const url = ofHub ? hub : plugin.url;
  const { page, context } = await openPage(browser, { url }, { token: ofHub ? null : plugin.code, theme });
  page.setDefaultTimeout(SHOWN_MS);
  await page.goto(url + path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByText("asking whether you may").first().waitFor({ state: "hidden" });
  if (press) await page.getByRole("button", { name: press }).click();
  await page.getByText(shows).first().waitFor();
  if (name === "analysis") await page.locator(".u-over").first().waitFor();
  await page.screenshot({ path: `${RESULTS}real-${name}-${theme}-1360.png` });
  await context.close();
}
