// What is pressed happens, after its effect was shown; and only for those who may.
import assert from "node:assert/strict";
import { test } from "node:test";
import { useBed } from "./bed.mjs";

const bed = useBed();

/** Shares in force over all clusters, as the API tells them. */
async function weights(page, name) {
  return page.evaluate(async (name) => {
    const answer = await (await fetch(`/api/v1/rollouts/shop/${name}`)).json();
    const cards = answer.lanes.flatMap((lane) => lane.cards);
    return { state: answer.row.state, sum: cards.reduce((sum, card) => sum + card.weight + card.acknowledgedWeight, 0) };
  }, name);
}

test("an abort pressed in the page ends in weight 0", async () => {
  const { page, context, problems } = await bed.open();
  await page.goto(`${bed.url}/rollouts/shop/checkout`);
  assert.ok((await weights(page, "checkout")).sum > 0);
  await page.getByRole("button", { name: "Abort attempt 3" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("All traffic leaves 7a1b2c3d4e at once; canaries go to 0 %").waitFor();
  // Without a reason nothing is sent.
  await dialog.getByRole("button", { name: "Abort attempt 3" }).click();
  await dialog.getByText("Say why.").waitFor();
  await dialog.getByLabel(/Why is it taken back/).fill("checkout's carts are empty");
  await dialog.getByText("kubectl lockflight abort checkout -n shop --reason 'checkout'\\''s carts are empty'").waitFor();
  await dialog.getByRole("button", { name: "Abort attempt 3" }).click();
  await page.locator(".title .tag", { hasText: /Aborted$/ }).waitFor();
  assert.deepEqual(await weights(page, "checkout"), { state: "Aborted", sum: 0 });
  await page.getByRole("button", { name: "Retry" }).waitFor();
  await page.goto(`${bed.url}/rollouts/shop/checkout/history`);
  await page.getByText("aborted by command: checkout's carts are empty").first().waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("an approval opens the gate that was shown, once", async () => {
  const { page, context } = await bed.open();
  await page.goto(`${bed.url}/rollouts/shop/payments`);
  await page.getByRole("button", { name: "Approve us-east-1" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Traffic in us-east-1 goes from 10 % to 33 %.").waitFor();
  await dialog.getByText("--token 4f0c9a77d2e1").waitFor();
  // What has been measured stands beside the question, in both revisions.
  const errors = dialog.getByRole("row", { name: /golden-signals\/errors/ });
  await errors.waitFor();
  assert.match(await errors.innerText(), /% +[\d,]+ of [1-9][\d,]*\s+[\d.]+ % +[\d,]+ of [1-9]/);
  await dialog.getByText("errors: passes with 4,812 samples").waitFor();
  await dialog.getByRole("button", { name: "Approve us-east-1" }).click();
  await page.getByText("33 %").nth(1).waitFor();
  await page.getByRole("button", { name: "Approve us-east-1" }).waitFor({ state: "detached" });
  const again = await page.evaluate(async () => {
    const { csrf } = await (await fetch("/api/v1/me")).json();
    const body = JSON.stringify({ verb: "Promote", tokens: ["4f0c9a77d2e1"] });
    const headers = { "x-lockflight-csrf": csrf };
    return (await fetch("/api/v1/rollouts/shop/payments/actions", { method: "POST", headers, body })).status;
  });
  assert.equal(again, 409);
  await context.close();
});

test("a pause holds until it is ended", async () => {
  const { page, context } = await bed.open();
  await page.goto(`${bed.url}/rollouts/shop/feed`);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByLabel(/Why is it paused/).fill("looking at argocd");
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page.getByText("Paused: looking at argocd").waitFor();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await page.getByText("Paused: looking at argocd").waitFor({ state: "detached" });
  await context.close();
});

test("a dialog says when the rollout has moved on below it", async () => {
  const first = await bed.open();
  const second = await bed.open();
  const path = `${bed.url}/rollouts/shop/pricing`;
  for (const { page } of [first, second]) {
    await page.goto(path);
    await page.getByRole("button", { name: "Abort attempt 3" }).click();
    await page.getByRole("dialog").getByLabel(/Why/).fill("no data");
  }
  await first.page.getByRole("dialog").getByRole("button", { name: "Abort attempt 3" }).click();
  const dialog = second.page.getByRole("dialog");
  await dialog.getByText("The rollout has moved on").waitFor();
  assert.ok(await dialog.getByRole("button", { name: "Abort attempt 3" }).isDisabled());
  await first.context.close();
  await second.context.close();
});

test("a viewer sees what could be pressed, and why not", async () => {
  const { page, context } = await bed.open({ token: "viewer" });
  await page.goto(`${bed.url}/rollouts/shop/recommendations`);
  const button = page.getByRole("button", { name: "Abort attempt 3" });
  await page.getByText("viewer may not abort rollouts.lockflight.dev in namespace shop").waitFor();
  assert.equal(await button.getAttribute("aria-disabled"), "true");
  await button.click({ force: true });
  assert.equal(await page.getByRole("dialog").count(), 0);
  await context.close();
});
