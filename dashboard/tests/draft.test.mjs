// A manifest that is pasted or changed, and its plan before it is applied.
import assert from "node:assert/strict";
import { test } from "node:test";
import { RESULTS, useBed } from "./bed.mjs";

const bed = useBed();

const text = (page) => page.getByRole("textbox", { name: "A changed manifest" });
const steps = (page) => page.getByRole("region", { name: "Steps of the plan" }).locator("tbody tr");

async function openDraft(options) {
  const opened = await bed.open(options);
  await opened.page.goto(`${bed.url}/rollouts/shop/checkout/plan`);
  await opened.page.getByText("As the hub has planned it for attempt").waitFor();
  await opened.page.getByRole("button", { name: "Plan a changed manifest" }).click();
  return opened;
}

/** The manifest with other steps than the default ones. */
const changed = (manifest) => manifest.replace(/^spec:\n/m, "spec:\n  strategy: {canary: {steps: [{weight: 25}, {weight: 100}]}}\n");

test("the plan of a changed manifest is shown, and nothing is written", async () => {
  const { page, context, problems } = await openDraft();
  const written = [];
  page.on("request", (request) => request.method() !== "GET" && written.push(`${request.method()} ${new URL(request.url()).pathname}`));
  const before = await steps(page).count();
  const present = await text(page).inputValue();
  assert.match(present, /kind: Rollout\n[^]*name: checkout\n[^]*replicas: 6/);
  await text(page).fill(changed(withoutStrategy(present)));
  await page.getByRole("button", { name: "Show its plan" }).click();
  await page.getByText("from the changed manifest. Nothing has been written.").waitFor();
  assert.deepEqual(await steps(page).locator("th").allInnerTexts(), ["25 %", "100 %"]);
  await page.getByText("kubectl lockflight plan -f rollout.yaml -n shop").waitFor();
  await page.getByRole("button", { name: "Back to the rollout's own plan" }).click();
  await page.getByText("As the hub has planned it for attempt 3").waitFor();
  assert.equal(await steps(page).count(), before);
  assert.deepEqual([...new Set(written)], ["POST /api/v1/rollouts/shop/checkout/plan"]);
  assert.deepEqual(problems, []);
  await context.close();
});

/** Without the block that `changed` puts in anew. */
function withoutStrategy(manifest) {
  return manifest.replace(/^  strategy:\n(?:   .*\n)*/m, "");
}

test("a mistake is named with its field and with what helps", async () => {
  const { page, context } = await openDraft();
  const present = await text(page).inputValue();
  for (const [manifest, why, remedy] of [
    [present.replace("replicas:", "replikas:"), "spec.replikas is no field of a Rollout", "kubectl explain"],
    [present.replace("namespace: shop", "namespace: bank"), 'metadata.namespace is not "shop"', "write metadata.namespace: shop"],
    [present.replace("spec:", "spec: ["), "the manifest is no YAML", "correct the text at this place"],
  ]) {
    await text(page).fill(manifest);
    await page.getByRole("button", { name: "Show its plan" }).click();
    const alert = page.getByRole("alert").filter({ hasText: why });
    await alert.filter({ hasText: remedy }).waitFor();
    assert.equal(await steps(page).count(), 0);
  }
  await page.getByRole("button", { name: "Start again from the present spec" }).click();
  assert.equal(await text(page).inputValue(), present);
  await context.close();
});

for (const [theme, width] of [["light", 1360], ["dark", 1360], ["light", 390]]) {
  test(`it fits the window: ${theme}, ${width} px`, async () => {
    const { page, context } = await openDraft({ theme, width });
    await text(page).fill(changed(withoutStrategy(await text(page).inputValue())));
    await page.getByRole("button", { name: "Show its plan" }).click();
    await page.getByText("Nothing has been written.").waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    await page.screenshot({ path: `${RESULTS}draft-${theme}-${width}.png`, fullPage: true });
    await context.close();
  });
}
