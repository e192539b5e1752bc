// Every screen, in both themes and at phone width: it shows what it is for, axe finds nothing,
// nothing overflows, and nothing is asked of another host.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { RESULTS, startFleet, useBed } from "./bed.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const SCREENS = [
  ["fleet", "/", ["Needs attention", "shop/search", "us-east-1 failed at step 2"]],
  ["rollout", "/rollouts/shop/checkout", ["us-east-1: step 3 bakes for 1m.", "Abort attempt 3", "33 % meant, 10 % in force"]],
  ["approval", "/rollouts/shop/payments", ["Needs a person", "Approve us-east-1", "goes from 10 % to 33 %", "Bad of all in us-east-1"]],
  ["aborted", "/rollouts/shop/search", ["Taken back", "8.4 %", "at most 2 times 0.1 %", "owed a rollback"]],
  ["unreachable", "/rollouts/shop/catalog", ["its state is unknown"]],
  ["analysis", "/rollouts/shop/checkout/analysis", ["Evidence that it is worse", "promotion bar", "http_errors_total", "result[0] < 0.8 holds"]],
  ["no-evidence", "/rollouts/shop/payments/analysis", ["No evidence from us-east-1 yet"]],
  ["earlier-evidence", "/rollouts/shop/search/analysis?cluster=us-east-1", ["Nothing has been measured in attempt 3 in us-east-1. Below is what attempt 2 has shown.", "Here in attempt 2: canary"]],
  ["history", "/rollouts/shop/checkout/history", ["RouteNotAccepted", "618e741e25 → 7a1b2c3d4e"]],
  ["plan", "/rollouts/shop/checkout/plan", ["At least", "as the gates have counted in", "10× errors: back after", "before the step can end", "kubectl lockflight plan checkout -n shop"]],
  ["clusters", "/clusters", ["10 of 12 can be acted in", "InvalidCredentials", "shop, team-00, team-01 and 2 more"]],
  ["nothing", "/rollouts/shop/none", ["There is no rollout shop/none"]],
  ["no-screen", "/no/such/screen", ["There is no such screen"]],
];

const bed = useBed();

async function violations(page) {
  // Run in the page's own world through the protocol: the page's policy forbids added scripts.
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ").slice(0, 400)}`);
  });
}

for (const [theme, width, height] of [["light", 1360, 900], ["dark", 1360, 900], ["light", 390, 844], ["dark", 390, 844]]) {
  test(`every screen, ${theme}, ${width} wide`, async () => {
    const { page, context, problems, hosts } = await bed.open({ theme, width, height });
    for (const [name, path, texts] of SCREENS) {
      await page.goto(bed.url + path);
      for (const text of texts) await page.getByText(text).first().waitFor({ state: "visible" });
      if (name === "analysis") {
        await page.locator(".u-over").first().waitFor();
        // The hub still has a series of the attempt before.
        assert.equal(await page.getByText("golden-signals/retired").count(), 0);
      }
      assert.equal(await page.locator("html").getAttribute("data-theme"), theme);
      assert.deepEqual(await violations(page), [], `${name} ${theme} ${width}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${name} is ${overflow} px too wide at ${width}`);
      await page.screenshot({ path: `${RESULTS}${name}-${theme}-${width}.png` });
    }
    assert.deepEqual(problems, []);
    assert.deepEqual([...hosts], [new URL(bed.url).host]);
    await context.close();
  });
}

test("on a phone the message of an Event stands under it, as wide as the screen", async () => {
  const { page, context } = await bed.open({ width: 390, height: 844 });
  await page.goto(bed.url + "/rollouts/shop/checkout/history");
  const row = page.getByRole("row", { name: /RouteNotAccepted/ });
  const [reason, message] = [row.locator("td").nth(1), row.locator("td").nth(2)];
  await message.waitFor({ state: "visible" });
  const [above, below] = [await reason.boundingBox(), await message.boundingBox()];
  assert.ok(below.y >= above.y + above.height, "it stands beside the reason");
  assert.ok(below.width > 300 && below.x + below.width <= 390, `${below.x} to ${below.x + below.width} px of 390`);
  await context.close();
});

test("a wide fleet fits, and its trouble is told by glyphs beside the small cells", async () => {
  const wide = await startFleet("--clusters", "50");
  for (const [width, height] of [[1360, 900], [1000, 800], [390, 844]]) {
    const { page, context } = await bed.openOn(wide, { width, height });
    await page.getByRole("row", { name: /catalog/ }).getByText("?1").waitFor();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} px too wide at ${width}`);
    await page.screenshot({ path: `${RESULTS}fleet-50-light-${width}.png` });
    await context.close();
  }
  await wide.stop();
});

test("what a person decides by stands in the dialogs, both themes and at phone width", async () => {
  for (const [theme, width, height] of [["light", 1360, 900], ["dark", 1360, 900], ["light", 390, 844], ["dark", 390, 844]]) {
    const { page, context } = await bed.open({ theme, width, height });
    await page.goto(`${bed.url}/rollouts/shop/payments`);
    await page.getByRole("button", { name: "Approve us-east-1" }).click();
    const dialog = page.getByRole("dialog");
    for (const text of ["Has waited for a person for", "golden-signals/latency", "Bad of all in us-east-1", "(taken back at 100)"]) {
      await dialog.getByText(text).first().waitFor();
    }
    assert.deepEqual(await violations(page), [], `approve ${theme} ${width}`);
    const overflow = await dialog.evaluate((one) => one.scrollWidth - one.clientWidth);
    assert.ok(overflow <= 0, `the dialog is ${overflow} px too wide at ${width}`);
    await page.screenshot({ path: `${RESULTS}approve-${theme}-${width}.png` });
    await page.keyboard.press("Escape");
    await page.goto(`${bed.url}/rollouts/shop/checkout`);
    await page.getByRole("button", { name: "Abort attempt 3" }).click();
    for (const text of ["To 0 % at once", "us-east-1 33 %", "eu-west-1 to 618e741e25", "Have no traffic of it"]) {
      await dialog.getByText(text).first().waitFor();
    }
    await dialog.getByText("What has been measured").click();
    await dialog.getByText("result[0] < 0.8").first().waitFor();
    await dialog.getByText("By cluster: 3").click();
    assert.deepEqual(await violations(page), [], `abort ${theme} ${width}`);
    await context.close();
  }
});

test("the sign-in and the dialogs, both themes", async () => {
  for (const theme of ["light", "dark"]) {
    const { page, context } = await bed.open({ theme });
    await page.goto(`${bed.url}/rollouts/shop/checkout`);
    await page.getByRole("button", { name: "Abort attempt 3" }).click();
    await page.getByRole("dialog").waitFor();
    assert.deepEqual(await violations(page), [], `abort ${theme}`);
    await page.screenshot({ path: `${RESULTS}abort-${theme}-1360.png` });
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Keys" }).click();
    assert.deepEqual(await violations(page), [], `keys ${theme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Bearer token").waitFor();
    assert.deepEqual(await violations(page), [], `sign-in ${theme}`);
    await context.close();
  }
});
