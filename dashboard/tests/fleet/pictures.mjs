// Pictures of a real fleet for the documentation, in both themes. Where and when, dashboard/README.md
// says:
//   node tests/fleet/pictures.mjs NAME...
// Needs LOCKFLIGHT_PLUGIN and LOCKFLIGHT_CODE, the address and the code that `kubectl lockflight
// dashboard` prints, and LOCKFLIGHT_HUB, the address of the hub's own dashboard.
import { openPage, RESULTS, startBrowser } from "../bed.mjs";

const { LOCKFLIGHT_PLUGIN, LOCKFLIGHT_CODE, LOCKFLIGHT_HUB } = process.env;
const ROLLOUT = "/rollouts/shop/checkout";

/** Whose page, which screen of it, and what it has to show before it is taken. */
const PICTURES = {
  rollout: { path: ROLLOUT, shows: /Abort attempt/ },
  approval: { path: ROLLOUT, shows: /awaits approval/ },
  approve: { path: ROLLOUT, press: /^Approve/, shows: /Bad of all/ },
  plan: { path: `${ROLLOUT}/plan?rps=50&errors=0.5`, shows: /before the step can end/, ofHub: true },
  aborted: { path: ROLLOUT, shows: /Taken back/ },
  abort: { path: ROLLOUT, press: /^Abort attempt/, shows: /The same from a terminal/ },
  history: { path: `${ROLLOUT}/history`, shows: /RolloutStarted/ },
  analysis: { path: `${ROLLOUT}/analysis`, shows: /Evidence that it is worse/, ofHub: true },
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in PICTURES));
if (names.length === 0 || unknown.length > 0 || !LOCKFLIGHT_PLUGIN || !LOCKFLIGHT_CODE || !LOCKFLIGHT_HUB) {
  throw new Error(`names of ${Object.keys(PICTURES).join(", ")}, and the three variables, see the head of this file`);
}
const browser = await startBrowser();
const taken = names.flatMap((name) => ["light", "dark"].map((theme) => take(name, theme)));
const ended = await Promise.allSettled(taken);
await browser.close();
for (const { reason } of ended.filter(({ status }) => status === "rejected")) throw reason;

async function take(name, theme) {
  const { path, press, shows, ofHub } = PICTURES[name];
  const fleet = { url: ofHub ? LOCKFLIGHT_HUB : LOCKFLIGHT_PLUGIN };
  const { page, context } = await openPage(browser, fleet, { token: ofHub ? null : LOCKFLIGHT_CODE, theme });
  await page.goto(fleet.url + path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.getByText("asking whether you may").first().waitFor({ state: "hidden" });
  if (press) await page.getByRole("button", { name: press }).click();
  await page.getByText(shows).first().waitFor();
  if (name === "analysis") await page.locator(".u-over").first().waitFor();
  await page.screenshot({ path: `${RESULTS}real-${name}-${theme}-1360.png` });
  await context.close();
}
