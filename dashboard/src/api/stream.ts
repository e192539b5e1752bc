// The one stream of a tab. It is read with fetch, not with EventSource: the status of a refusal
// and the silence of a dead connection have to be seen.
import type { Frame } from "./types";

export interface StreamHandlers {
  frame(frame: Frame, cursor: string): void;
  /** Something arrived, even if it says nothing. */
  alive(): void;
  /** The cursor is not known any more: start over from a snapshot. */
  resync(): void;
  signedOut(): void;
  lost(): void;
}

export interface Topic {
  rollout: string | null;
  cluster: string | null;
}

/** Silence after which a connection counts as dead; the server speaks every ten seconds. */
const SILENCE_MS = 25_000;

/** Reads the stream until it ends or is aborted. */
export async function follow(
  topic: Topic,
  cursor: string,
  signal: AbortSignal,
  handlers: StreamHandlers,
): Promise<void> {
  const query = new URLSearchParams();
  if (topic.rollout) query.set("rollout", topic.rollout);
  if (topic.cluster) query.set("cluster", topic.cluster);
  const silent = new AbortController();
  let watchdog = setTimeout(() => silent.abort(), SILENCE_MS);
  try {
    const response = await fetch(`/api/v1/stream?${query}`, {
      headers: { accept: "text/event-stream", "last-event-id": cursor },
      signal: AbortSignal.any([signal, silent.signal]),
      credentials: "same-origin",
    });
    if (response.status === 401) return handlers.signedOut();
    if (!response.ok || !response.body) return handlers.lost();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new Parser(handlers);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => silent.abort(), SILENCE_MS);
      handlers.alive();
      if (!events.take(value)) return;
    }
    handlers.lost();
  } catch {
    if (!signal.aborted) handlers.lost();
  } finally {
    clearTimeout(watchdog);
  }
}

/** Puts events together from pieces of text. */
class Parser {
  private rest = "";

  constructor(private readonly handlers: StreamHandlers) {}

  /** Whether to go on. */
  take(text: string): boolean {
    const blocks = (this.rest + text).split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.every((block) => this.event(block));
  }

  private event(block: string): boolean {
    let kind = "message";
    let id = "";
    let data = "";
    for (const line of block.split("\n")) {
      const colon = line.indexOf(":");
      const value = line.slice(colon + 1).replace(/^ /, "");
      if (line.startsWith("event:")) kind = value;
      else if (line.startsWith("id:")) id = value;
      else if (line.startsWith("data:")) data += value;
    }
    if (kind === "frame") this.handlers.frame(JSON.parse(data) as Frame, id);
    if (kind === "resync") this.handlers.resync();
    if (kind === "signedout") this.handlers.signedOut();
    return kind !== "resync" && kind !== "signedout";
  }
}
