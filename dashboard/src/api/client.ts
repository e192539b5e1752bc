// Requests. The session is a cookie that no script can read; what changes something carries the
// csrf value beside it.
import type { ActionRight, AnalysisPage, EvidencePage, HistoryPage, Me, PlanPage, Problem, RolloutPage, Snapshot } from "./types";

/** An answer that is not what was asked for. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.message);
  }
}

const TIMEOUT_MS = 20_000;

let csrf: string | null = null;

export function rollout(namespace: string, name: string): string {
  return `/rollouts/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    return (await response.json()) as Problem;
  } catch {
    const message = `the server answered ${response.status}`;
    return { reason: "Unreadable", message, remedy: null, signIn: null };
  }
}

async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (method !== "GET" && csrf) headers["x-lockflight-csrf"] = csrf;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      credentials: "same-origin",
    });
  } catch {
    const message = "the dashboard's server does not answer";
    const remedy = "is it still running? kubectl lockflight works without it";
    throw new Refused(0, { reason: "NoAnswer", message, remedy, signIn: null });
  }
  if (!response.ok) throw new Refused(response.status, await problemOf(response));
  return response;
}

async function get<T>(path: string): Promise<T> {
  return (await (await ask("GET", path)).json()) as T;
}

export async function me(): Promise<Me> {
  const answer = await get<Me>("/me");
  csrf = answer.csrf;
  return answer;
}

export const snapshot = () => get<Snapshot>("/snapshot");
export const rolloutPage = (namespace: string, name: string) =>
  get<RolloutPage>(rollout(namespace, name));
export const history = (namespace: string, name: string) =>
  get<HistoryPage>(`${rollout(namespace, name)}/history`);
export const analysis = (namespace: string, name: string, cluster: string) =>
  get<AnalysisPage>(`${rollout(namespace, name)}/analysis/${encodeURIComponent(cluster)}`);
export const evidence = (namespace: string, name: string) =>
  get<EvidencePage>(`${rollout(namespace, name)}/evidence`);
/** `errors`: per cent of the requests that fail on stable. Both empty: as it was counted. */
export const plan = (namespace: string, name: string, rps: string, errors: string) =>
  get<PlanPage>(planPath(namespace, name, rps, errors));
/** The plan that a new attempt would get from this manifest; nothing is written. */
export const planOf = async (namespace: string, name: string, manifest: string, rps: string, errors: string) =>
  (await (await ask("POST", planPath(namespace, name, rps, errors), { manifest })).json()) as PlanPage;

function planPath(namespace: string, name: string, rps: string, errors: string): string {
  const share = String(Number(errors) / 100);
  const told = rps && errors ? `?${new URLSearchParams({ rps, errors: share })}` : "";
  return `${rollout(namespace, name)}/plan${told}`;
}

export const rights = (namespace: string) =>
  get<ActionRight[]>(`/rights/${encodeURIComponent(namespace)}`);

export type Command =
  | { verb: "Promote"; tokens: string[] }
  | { verb: "Abort" | "Pause"; reason: string }
  | { verb: "Resume" }
  | { verb: "Retry"; attempt: number };

export async function press(namespace: string, name: string, command: Command): Promise<void> {
  await ask("POST", `${rollout(namespace, name)}/actions`, command);
}

export async function signIn(secret: string): Promise<void> {
  await ask("POST", "/session", { secret });
}

export async function signOut(): Promise<void> {
  await ask("DELETE", "/session");
}
