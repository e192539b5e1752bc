// What the stream does not carry is asked for again and again, and not when nobody looks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { useBed } from "./bed.mjs";

/** Longer than ten periods of any screen. */
const LONG_MS = 120_000;
/** Several periods of the history; requests are given up after 20 s. */
const WAIT_MS = 15_000;
/** The requests; not the page, whose address ends the same. */
const ASKED = "**/api/v1/**/checkout/history";

const bed = useBed();

/** The history of `checkout`, on a clock of the test's own; `held` waits before each answer. */
async function openHistory() {
  const { page, context, problems } = await bed.open();
  await page.clock.install();
  const asked = { count: 0, held: Promise.resolve() };
  await page.route(ASKED, async (route) => {
    asked.count += 1;
    await asked.held;
    await route.continue();
  });
  return { page, context, problems, asked };
}

const look = (page, hidden) =>
  page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);

test("a server that is slow is not asked again before it has answered", async () => {
  const { page, context, problems, asked } = await openHistory();
  let release;
  asked.held = new Promise((resolve) => (release = resolve));
  const first = page.waitForRequest(ASKED);
  await page.goto(`${bed.url}/rollouts/shop/checkout/history`);
  await first;
  await page.clock.runFor(WAIT_MS);
  assert.equal(asked.count, 1);
  release();
  await page.getByRole("heading", { name: "Attempts" }).waitFor();
  const second = page.waitForRequest(ASKED);
  // Not longer: on this clock a request that is under way would be given up.
  await page.clock.runFor(WAIT_MS);
  await second;
  assert.deepEqual(problems, []);
  await context.close();
});

test("a hidden tab asks for nothing, and at once when it is looked at again", async () => {
  const { page, context, asked } = await openHistory();
  await page.goto(`${bed.url}/rollouts/shop/checkout/history`);
  await page.getByRole("heading", { name: "Attempts" }).waitFor();
  await look(page, true);
  const before = asked.count;
  await page.clock.runFor(LONG_MS);
  assert.equal(asked.count, before);
  const again = page.waitForRequest(ASKED);
  await look(page, false);
  await again;
  await context.close();
});

test("a screen that is left asks no more", async () => {
  const { page, context, asked } = await openHistory();
  await page.goto(`${bed.url}/rollouts/shop/checkout/history`);
  await page.getByRole("heading", { name: "Attempts" }).waitFor();
  await page.keyboard.press("1");
  await page.getByRole("heading", { name: "Attempts" }).waitFor({ state: "detached" });
  const before = asked.count;
  await page.clock.runFor(LONG_MS);
  assert.equal(asked.count, before);
  await context.close();
});
