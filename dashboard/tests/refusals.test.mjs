// Every route over real connections with every bad credential.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startFleet } from "./bed.mjs";

const ROUTES = [
  ["GET", "/api/v1/me"],
  ["GET", "/api/v1/snapshot"],
  ["GET", "/api/v1/stream"],
  ["GET", "/api/v1/rights/shop"],
  ["GET", "/api/v1/rollouts/shop/checkout"],
  ["GET", "/api/v1/rollouts/shop/checkout/history"],
  ["GET", "/api/v1/rollouts/shop/checkout/analysis/us-east-1"],
  ["POST", "/api/v1/rollouts/shop/checkout/actions"],
  ["POST", "/api/v1/rollouts/shop/checkout/plan"],
  ["DELETE", "/api/v1/session"],
];
const BAD = [
  {},
  { authorization: "Bearer garbage" },
  { authorization: "Basic b3BlcmF0b3I6eA==" },
  { cookie: "lockflight-session=0000" },
  { "x-forwarded-user": "operator", "x-forwarded-groups": "system:masters" },
];

let fleet;
before(async () => {
  fleet = await startFleet();
});
after(async () => fleet?.stop());

test("every route refuses every bad credential", async () => {
  for (const [method, path] of ROUTES) {
    for (const headers of BAD) {
      const body = method === "POST" ? JSON.stringify({ verb: "Abort", reason: "x" }) : undefined;
      const answer = await fetch(fleet.url + path, { method, headers, body });
      // Wrong tokens from one address are limited, too.
      assert.ok([401, 429].includes(answer.status), `${method} ${path} ${JSON.stringify(headers)}: ${answer.status}`);
      assert.ok(!(await answer.text()).includes("checkout"));
    }
  }
});

test("nothing but the page itself answers without a sign-in", async () => {
  for (const path of ["/api", "/api/", "/api/v2/snapshot", "/metrics", "/healthz", "/.env", "/assets/../Cargo.toml", "/api/v1/rollouts"]) {
    const answer = await fetch(fleet.url + path);
    const text = await answer.text();
    const isPage = answer.headers.get("content-type")?.startsWith("text/html");
    assert.ok(answer.status === 404 || answer.status === 401 || isPage, `${path}: ${answer.status}`);
    assert.ok(!text.includes("7a1b2c3d4e"), path);
  }
});
