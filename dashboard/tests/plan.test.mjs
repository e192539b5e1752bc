// The plan, with the traffic that was counted and with one that is told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { useBed } from "./bed.mjs";

const bed = useBed();

test("a forecast follows the traffic, and its address shows the same", async () => {
  const { page, context, problems } = await bed.open();
  await page.goto(`${bed.url}/rollouts/shop/checkout/plan`);
  await page.getByText("as the gates have counted in").waitFor();
  const tenfold = () => page.getByRole("region", { name: "Steps of the plan" }).locator("tbody tr").first().locator("td").nth(6).innerText();
  const counted = await tenfold();
  await page.getByLabel(/Requests per second/).fill("2");
  await page.getByLabel(/Failing on stable/).fill("0.5");
  await page.keyboard.press("Enter");
  await page.getByText("with 2 requests a second of which 0.5 % fail").waitFor();
  await page.getByText("kubectl lockflight plan checkout -n shop --rps 2 --errors 0.5%").waitFor();
  assert.notEqual(await tenfold(), counted);
  assert.equal(new URL(page.url()).search, "?rps=2&errors=0.5");
  await page.reload();
  await page.getByText("with 2 requests a second").waitFor();
  await page.getByRole("button", { name: "As counted" }).click();
  await page.getByText("as the gates have counted in").waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test("traffic that is none is refused before it is sent", async () => {
  const { page, context } = await bed.open();
  await page.goto(`${bed.url}/rollouts/shop/checkout/plan`);
  for (const [rps, failing, why] of [
    ["many", "1", "a number from 0.001"],
    ["0", "1", "a number from 0.001"],
    ["5", "0", "never known exactly"],
    ["5", "51", "to 50."],
  ]) {
    await page.getByLabel(/Requests per second/).fill(rps);
    await page.getByLabel(/Failing on stable/).fill(failing);
    await page.getByRole("button", { name: "Forecast" }).click();
    await page.getByText(why).waitFor();
  }
  assert.equal(new URL(page.url()).search, "");
  // An address that was typed in is answered by the server, which names what is wrong.
  await page.goto(`${bed.url}/rollouts/shop/checkout/plan?rps=5&errors=250`);
  await page.getByText("errors must be a share from 0.00000001 to 0.5").waitFor();
  await context.close();
});

test("a rollout without counted traffic asks for it", async () => {
  const { page, context } = await bed.open();
  await page.goto(`${bed.url}/rollouts/shop/payments/plan`);
  await page.getByText("Nothing has been counted in this attempt yet").waitFor();
  assert.equal(await page.getByText("errors: back after").count(), 0);
  await context.close();
});
