// The page follows the fleet, and says so when it cannot.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, startBrowser, startFleet } from "./bed.mjs";

let browser;
before(async () => {
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
});

/** Tokens that move the fleet in memory and no user: its API server falls silent, or speaks. */
const tell = (fleet, token) =>
  fetch(`${fleet.url}/api/v1/me`, { headers: { authorization: `Bearer ${token}` } });

test("every change comes without a reload, on one stream", async () => {
  const fleet = await startFleet("--changes-per-second", "20");
  const { page, context } = await openPage(browser, fleet);
  let streams = 0;
  let snapshots = 0;
  page.on("request", (request) => {
    if (request.url().includes("/stream")) streams += 1;
    if (request.url().includes("/snapshot")) snapshots += 1;
  });
  const before = await page.locator("tbody").innerHTML();
  await page.waitForFunction((before) => document.querySelector("tbody")?.innerHTML !== before, before);
  assert.deepEqual([streams, snapshots], [0, 0]);
  await context.close();
  await fleet.stop();
});

test("new points of an open analysis come by themselves, thresholds with their bound", async () => {
  const fleet = await startFleet();
  const { page, context, problems } = await openPage(browser, fleet);
  await page.goto(`${fleet.url}/rollouts/shop/checkout/analysis`);
  const memory = page.getByRole("region", { name: "Metric golden-signals/memory" });
  await memory.getByText("a number against a condition").waitFor();
  await memory.getByText("bound", { exact: true }).waitFor();
  await memory.getByText("Table: the last 20 points").click();
  await memory.getByRole("row").nth(1).waitFor();
  const newest = '[aria-label="Metric golden-signals/memory"] .figures tbody tr:last-child th';
  const before = await page.locator(newest).textContent();
  await page.waitForFunction(
    ([newest, before]) => document.querySelector(newest).textContent !== before,
    [newest, before],
  );
  const all = page.getByRole("region", { name: "Metric all comparisons" });
  await all.getByText(/Evidence that it is worse/).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
  await fleet.stop();
});

test("a silent API server is told as what it is", async () => {
  const fleet = await startFleet();
  const { page, context } = await openPage(browser, fleet);
  await tell(fleet, "silence");
  await page.getByText(/Stale for \d+s/).waitFor();
  await page.getByText("The hub's API server does not answer.").waitFor();
  const filter = () => page.locator("main").evaluate((main) => getComputedStyle(main).filter);
  assert.equal(await filter(), "grayscale(1)", "what may be old has its colours still");
  await tell(fleet, "speak");
  await page.getByText(/Stale for/).waitFor({ state: "detached" });
  assert.equal(await filter(), "none");
  await context.close();
  await fleet.stop();
});

test("a lost server shows a banner, and the page takes up again by itself", async () => {
  let fleet = await startFleet("--sign-in", "nobody");
  const address = new URL(fleet.url).host;
  const { page, context } = await openPage(browser, fleet, { token: null });
  await page.getByText("read-only").waitFor();
  await fleet.stop();
  await page.getByText("The connection to the dashboard's server is lost").waitFor();
  fleet = await startFleet("--sign-in", "nobody", "--listen", address);
  await page.getByText(/Stale for/).waitFor({ state: "detached" });
  assert.ok((await page.getByRole("row").count()) > 10);
  await context.close();
  await fleet.stop();
});

test("a restarted server asks for a new sign-in", async () => {
  let fleet = await startFleet();
  const address = new URL(fleet.url).host;
  const { page, context } = await openPage(browser, fleet);
  await fleet.stop();
  fleet = await startFleet("--listen", address);
  await page.getByLabel("Bearer token").waitFor();
  await context.close();
  await fleet.stop();
});

test("the printed code opens the page, another does not", async () => {
  const fleet = await startFleet("--sign-in", "code");
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(fleet.url);
  await page.getByLabel("Code").fill("AAAAAAAA");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("this is not the printed code").waitFor();
  await page.getByLabel("Code").fill(fleet.code.toLowerCase());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Fleet", level: 1 }).waitFor();
  const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + location.href + document.cookie);
  assert.ok(!kept.includes(fleet.code), "the code is kept nowhere that a script can read");
  await context.close();
  await fleet.stop();
});
