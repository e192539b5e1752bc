// What the page knows, kept up to date by the stream.
import { computed, signal } from "@preact/signals";
import { follow, type Topic } from "../api/stream";
import { Refused, me as askMe, snapshot } from "../api/client";
import type { AnalysisPage, ClusterRow, Frame, Me, RolloutPage, RolloutRow, SignIn } from "../api/types";
import { mergeAnalysis } from "./merge";

export const me = signal<Me | null>(null);
/** Set while nobody is signed in: how to sign in, and why that is needed. */
export const signInNeeded = signal<{ way: SignIn; why: string } | null>(null);
export const rollouts = signal<ReadonlyMap<string, RolloutRow>>(new Map());
export const clusters = signal<ReadonlyMap<string, ClusterRow>>(new Map());
export const page = signal<RolloutPage | null>(null);
export const analysis = signal<AnalysisPage | null>(null);
/** The open Rollout does not exist, or not for this user. */
export const gone = signal(false);
export const loaded = signal(false);
/** Since when nothing was heard; null while the stream lives. */
export const lostSince = signal<number | null>(null);
/** Since when the hub's API server has not answered. */
export const deafSince = signal<number | null>(null);
/** The server's clock minus the browser's, in milliseconds. */
export const clockOffset = signal(0);
/** What a screen reader is told. */
export const news = signal("");

export const rowList = computed(() => [...rollouts.value.values()]);
export const clusterList = computed(() =>
  [...clusters.value.values()].sort((a, b) => a.name.localeCompare(b.name)),
);

/** Pauses between tries to get the stream back. */
const PAUSES_MS = [500, 1_000, 2_000, 5_000, 10_000];
/** A hidden tab keeps its stream for so long. */
const HIDDEN_MS = 60_000;

let topic: Topic = { rollout: null, cluster: null };
let cursor = "";
let running: AbortController | null = null;
let losses = 0;
let hiddenTimer = 0;

export async function start(): Promise<void> {
  try {
    me.value = await askMe();
    signInNeeded.value = null;
    await load();
    connect();
  } catch (error) {
    failed(error);
  }
}

function failed(error: unknown): void {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) {
    stop();
    signInNeeded.value = { way: error.problem.signIn ?? "Token", why: error.problem.message };
    return;
  }
  lostSince.value ??= Date.now();
  setTimeout(start, pause());
}

function pause(): number {
  const ms = PAUSES_MS[Math.min(losses, PAUSES_MS.length - 1)] ?? 10_000;
  losses += 1;
  // Many tabs that lose the same server must not come back in step.
  return ms * (0.7 + 0.6 * Math.random());
}

async function load(): Promise<void> {
  const all = await snapshot();
  rollouts.value = new Map(all.rollouts.map((row) => [key(row), row]));
  clusters.value = new Map(all.clusters.map((row) => [row.name, row]));
  cursor = all.cursor;
  clockOffset.value = all.nowMs - Date.now();
  deafSince.value = all.live ? null : (deafSince.value ?? Date.now());
  loaded.value = true;
}

export const key = (row: { namespace: string; name: string }) => `${row.namespace}/${row.name}`;

/** What the page has open; the stream sends it whole, then its changes. */
export function open(rollout: string | null, cluster: string | null): void {
  if (topic.rollout === rollout && topic.cluster === cluster) return;
  if (topic.rollout !== rollout) page.value = null;
  analysis.value = null;
  gone.value = false;
  topic = { rollout, cluster };
  // All points of the new topic, not only those after the last one of the old.
  cursor = cursor.replace(/-\d+$/, "-0");
  if (running) connect();
}

function stop(): void {
  running?.abort();
  running = null;
}

function connect(): void {
  stop();
  const mine = new AbortController();
  running = mine;
  void follow(topic, cursor, mine.signal, {
    frame: (frame, id) => mine === running && take(frame, id),
    alive: () => {
      losses = 0;
      lostSince.value = null;
    },
    resync: () => void start(),
    signedOut: () => void start(),
    lost: () => {
      if (mine !== running) return;
      running = null;
      lostSince.value ??= Date.now();
      setTimeout(() => {
        if (!running && !document.hidden) connect();
      }, pause());
    },
  });
}

function take(frame: Frame, id: string): void {
  cursor = id;
  clockOffset.value = frame.nowMs - Date.now();
  deafSince.value = frame.live ? null : (deafSince.value ?? Date.now());
  if (frame.rollouts || frame.goneRollouts) {
    const next = new Map(rollouts.value);
    for (const row of frame.rollouts ?? []) next.set(key(row), row);
    for (const name of frame.goneRollouts ?? []) next.delete(name);
    rollouts.value = next;
  }
  if (frame.clusters || frame.goneClusters) {
    const next = new Map(clusters.value);
    for (const row of frame.clusters ?? []) next.set(row.name, row);
    for (const name of frame.goneClusters ?? []) next.delete(name);
    clusters.value = next;
  }
  if (frame.page) showPage(frame.page);
  else if (!page.value && topic.rollout && !rollouts.value.has(topic.rollout)) gone.value = true;
  if (topic.rollout && frame.goneRollouts?.includes(topic.rollout)) gone.value = true;
  if (frame.analysis) analysis.value = mergeAnalysis(analysis.value, frame.analysis);
}

function showPage(next: RolloutPage): void {
  const before = page.value?.row;
  if (before && key(before) === key(next.row) && before.state !== next.row.state) {
    news.value = `${next.row.name} is now ${next.row.state}: ${next.why.sentence}`;
  }
  gone.value = false;
  page.value = next;
}

document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = window.setTimeout(stop, HIDDEN_MS);
  else if (!running && me.value && !signInNeeded.value) connect();
});
