// Everything without a mouse.
import assert from "node:assert/strict";
import { test } from "node:test";
import { useBed } from "./bed.mjs";

const bed = useBed("--changes-per-second", "30");

const focused = (page) => page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.id);

test("search, open, look around and abort with keys only", async () => {
  const { page, context } = await bed.open();
  await page.keyboard.press("/");
  await page.keyboard.type("shop/recomm");
  await page.getByRole("row").nth(1).waitFor();
  assert.equal(new URL(page.url()).searchParams.get("q"), "shop/recomm");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  assert.equal(await focused(page), "shop/recommendations");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "recommendations", level: 1 }).waitFor();
  await page.keyboard.press("2");
  await page.waitForURL(/\/analysis/);
  await page.keyboard.press("3");
  await page.waitForURL(/\/history$/);
  await page.keyboard.press("4");
  await page.waitForURL(/\/plan$/);
  await page.keyboard.press("1");
  await page.waitForURL(/\/recommendations$/);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  for (let presses = 0; (await focused(page)) !== "Abort attempt 3"; presses += 1) {
    assert.ok(presses < 40, "the button is not reached with Tab");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.type("with keys");
  await page.keyboard.press("Enter");
  await page.locator(".title .tag", { hasText: /Aborted$/ }).waitFor();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await page.getByRole("heading", { name: "Clusters", level: 1 }).waitFor();
  await context.close();
});

test("the search takes every letter, however fast they come", async () => {
  const { page, context } = await bed.open();
  await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true })));
  assert.equal(await page.evaluate(() => document.activeElement?.id), "search");
  await page.keyboard.type("shop/recomm");
  assert.equal(new URL(page.url()).searchParams.get("q"), "shop/recomm");
  await context.close();
});

test("live changes leave the focus where it is", async () => {
  const { page, context } = await bed.open();
  await page.goto(`${bed.url}/?q=service-0013&state=Moving`);
  await page.getByRole("row").nth(1).waitFor();
  await page.keyboard.press("j");
  const name = await focused(page);
  const before = await page.locator("tbody").innerHTML();
  await page.waitForFunction((before) => document.querySelector("tbody")?.innerHTML !== before, before);
  assert.equal(await focused(page), name);
  await context.close();
});
