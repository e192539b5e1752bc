// Against a hub that runs a rollout: started by the fleet's tests, which then look at the routes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, RESULTS, startBrowser } from "../bed.mjs";

const { LOCKFLIGHT_DASHBOARD, LOCKFLIGHT_ROLLOUT, LOCKFLIGHT_OPERATOR_TOKEN, LOCKFLIGHT_VIEWER_TOKEN } = process.env;

test("an abort pressed in the page of the real hub", async () => {
  assert.ok(LOCKFLIGHT_DASHBOARD && LOCKFLIGHT_ROLLOUT, "cargo test -p lockflight-e2e --test fleet -- dashboard runs this");
  const browser = await startBrowser();
  try {
    const fleet = { url: LOCKFLIGHT_DASHBOARD };
    const path = `${fleet.url}/rollouts/${LOCKFLIGHT_ROLLOUT}`;

    const viewer = await openPage(browser, fleet, { token: LOCKFLIGHT_VIEWER_TOKEN });
    await viewer.page.goto(path);
    const button = viewer.page.getByRole("button", { name: /^Abort attempt/ });
    await button.waitFor();
    assert.equal(await button.getAttribute("aria-disabled"), "true");
    await button.click({ force: true });
    assert.equal(await viewer.page.getByRole("dialog").count(), 0);

    const { page, problems, hosts } = await openPage(browser, fleet, { token: LOCKFLIGHT_OPERATOR_TOKEN });
    await page.goto(`${path}/analysis?cluster=m1`);
    for (const metric of ["all comparisons", "golden-signals/errors", "golden-signals/latency"]) {
      await page.getByRole("heading", { name: metric, exact: true }).waitFor();
    }
    await page.getByText("http_requests_total").first().waitFor();
    // Both arms are counted while the page looks on.
    await page.getByText(/canary [\d.]+ % of [1-9][\d,]* events bad, stable [\d.]+ % of [1-9]/).first().waitFor();
    await page.getByText(/Evidence that it is worse/).first().waitFor();
    await page.locator(".u-over").nth(2).waitFor();
    await page.screenshot({ path: `${RESULTS}fleet-analysis.png`, fullPage: true });

    await page.goto(path);
    await page.getByRole("button", { name: /^Abort attempt/ }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/All traffic leaves/).waitFor();
    await dialog.getByText("m1 30 %").first().waitFor();
    await dialog.getByText("What has been measured").click();
    await dialog.getByRole("row", { name: /golden-signals\/errors/ }).first().waitFor();
    await dialog.getByLabel(/Why is it taken back/).fill("the carts are empty");
    await page.screenshot({ path: `${RESULTS}fleet-abort.png` });
    await dialog.getByRole("button", { name: /^Abort attempt/ }).click();
    // The stream brings the end to the page of the viewer, too.
    for (const one of [page, viewer.page]) {
      await one.locator(".title .tag", { hasText: /Aborted$/ }).waitFor();
    }
    await page.goto(`${path}/history`);
    await page.getByText(/the carts are empty/).first().waitFor();
    await page.getByText("RolloutAborted").first().waitFor();
    await page.screenshot({ path: `${RESULTS}fleet-history.png`, fullPage: true });
    assert.deepEqual(problems.concat(viewer.problems), []);
    assert.deepEqual([...hosts], [new URL(fleet.url).host]);
  } finally {
    await browser.close();
  }
});
