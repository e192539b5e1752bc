// Words, glyphs and tones of every state: the plugin's words and glyphs. A state is always told
// by its word and its glyph; the tone only repeats them.
import type { CellState, Outcome, RolloutRow, Urgency, VerdictState } from "../api/types";

export type Tone = "good" | "bad" | "move" | "wait" | "unknown" | "rest";

export interface Look {
  glyph: string;
  tone: Tone;
}

export const OUTCOMES: Record<Outcome, Look> = {
  Moving: { glyph: "◌", tone: "move" },
  Waiting: { glyph: "‖", tone: "wait" },
  Completed: { glyph: "✔", tone: "good" },
  Aborted: { glyph: "↩", tone: "bad" },
  Stalled: { glyph: "✖", tone: "bad" },
};

export function lookOf(row: RolloutRow): Look {
  if (row.goingBack) return { glyph: "↩", tone: "bad" };
  if (row.attention?.urgency === "Blocked") return { glyph: "!", tone: "wait" };
  if (row.attention?.urgency === "Critical" && row.outcome === "Moving") return { glyph: "✖", tone: "bad" };
  return OUTCOMES[row.outcome];
}

export const URGENCIES: Record<Urgency, Look> = {
  Critical: { glyph: "✖", tone: "bad" },
  Blocked: { glyph: "!", tone: "wait" },
  Asked: { glyph: "‖", tone: "wait" },
};

export interface CellLook extends Look {
  letter: string;
  word: string;
}

export const CELLS: Record<CellState, CellLook> = {
  Pending: { letter: ".", glyph: "·", word: "not started", tone: "rest" },
  Deploying: { letter: "d", glyph: "◌", word: "deploying", tone: "move" },
  Canary: { letter: "c", glyph: "◌", word: "canary", tone: "move" },
  Approval: { letter: "a", glyph: "‖", word: "awaits approval", tone: "wait" },
  Promoting: { letter: "p", glyph: "◌", word: "promoting", tone: "move" },
  Promoted: { letter: "P", glyph: "✔", word: "promoted", tone: "good" },
  RollingBack: { letter: "r", glyph: "↩", word: "rolling back", tone: "bad" },
  RolledBack: { letter: "R", glyph: "↩", word: "rolled back", tone: "rest" },
  Failed: { letter: "x", glyph: "✖", word: "failed", tone: "bad" },
  Unknown: { letter: "u", glyph: "?", word: "unreachable", tone: "unknown" },
  Owed: { letter: "o", glyph: "?", word: "owed a rollback", tone: "bad" },
};

const BY_LETTER = new Map(Object.values(CELLS).map((look) => [look.letter, look]));

export const cellOf = (letter: string): CellLook => BY_LETTER.get(letter) ?? CELLS.Pending;

export const VERDICTS: Record<VerdictState, Look> = {
  Pass: { glyph: "✔", tone: "good" },
  Fail: { glyph: "✖", tone: "bad" },
  Watch: { glyph: "◌", tone: "move" },
  NoData: { glyph: "?", tone: "wait" },
  Error: { glyph: "✖", tone: "bad" },
};
