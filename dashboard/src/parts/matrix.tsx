// The mini matrix: one cell per cluster. Height is the share, tone and glyph the state.
import type { RolloutRow, WaveCells } from "../api/types";
import { type CellLook, cellOf } from "../text/glyphs";

/** Up to so many clusters each cell has room for its glyph. */
const ROOMY = 16;

export function matrixSentence(row: RolloutRow): string {
  const { total, promoted, moving, unreachable, owed } = row.counts;
  const parts = [`${promoted} of ${total} clusters promoted`];
  if (moving) parts.push(`${moving} moving`);
  // Who is owed a rollback is unreachable as well: it is one cluster, not two.
  if (unreachable > owed) parts.push(`${unreachable - owed} unreachable`);
  if (owed) parts.push(`${owed} unreachable and owed a rollback`);
  return parts.join(", ");
}

/** Trouble in small cells is counted beside them, with its glyph. */
export function Troubles({ row }: { row: RolloutRow }) {
  if (row.counts.total <= ROOMY) return null;
  const counts = new Map<CellLook, number>();
  for (const letter of row.waves.flatMap((wave) => [...wave.states])) {
    const look = cellOf(letter);
    if (look.tone === "good" || look.tone === "move" || look.tone === "rest") continue;
    counts.set(look, (counts.get(look) ?? 0) + 1);
  }
  return (
    <>
      {[...counts].map(([look, count]) => (
        <span class={`tone-${look.tone}`} key={look.letter} title={`${count} ${look.word}`}>
          {" "}
          {look.glyph}
          {count}
        </span>
      ))}
    </>
  );
}

export function Matrix({ row }: { row: RolloutRow }) {
  const roomy = row.counts.total <= ROOMY;
  return (
    <span class={roomy ? "matrix roomy" : "matrix"} role="img" aria-label={matrixSentence(row)}>
      {row.waves.map((wave) => (
        <span class="matrix-wave" key={wave.name}>
          {cells(wave)}
        </span>
      ))}
    </span>
  );
}

function cells(wave: WaveCells) {
  return wave.clusters.map((name, index) => {
    const look = cellOf(wave.states[index] ?? ".");
    const weight = wave.weights[index] ?? 0;
    return (
      <span class={`cell tone-${look.tone}`} key={name} title={`${name}: ${look.word}, ${weight} %`}>
        <span class="cell-fill" style={{ height: `${fill(look, weight)}%` }} />
        <span class="cell-glyph">{look.glyph}</span>
      </span>
    );
  });
}

/** Trouble fills its cell: it must be seen at any share. */
function fill(look: CellLook, weight: number): number {
  if (look.tone === "bad" || look.tone === "unknown" || look.tone === "wait") return 100;
  return weight === 0 ? 0 : Math.max(12, weight);
}
