// The fleet's table. Only rows in sight are in the page: a thousand cost as much as thirty.
import { useEffect, useRef, useState } from "preact/hooks";
import type { RolloutRow } from "../api/types";
import { query, go, rolloutHref, setQuery } from "../state/route";
import { key } from "../state/store";
import { lookOf } from "../text/glyphs";
import { Ago, Countdown, Empty, Tag } from "./bits";
import { Matrix, Troubles } from "./matrix";

/** Height of a row in pixels; the style sheet says the same. */
const ROW = 44;
/** Rows kept beyond both edges of the window. */
const SPARE = 8;
/** Shorter tables are drawn whole. */
const WHOLE = 200;

type SortKey = "name" | "state" | "started";

const ORDERS: Record<SortKey, (a: RolloutRow, b: RolloutRow) => number> = {
  name: (a, b) => key(a).localeCompare(key(b)),
  state: (a, b) => urgency(a) - urgency(b) || key(a).localeCompare(key(b)),
  started: (a, b) => (b.startedAt ?? "").localeCompare(a.startedAt ?? ""),
};

const RANK = { Critical: 0, Blocked: 1, Asked: 2 } as const;
const REST = { Stalled: 1, Aborted: 0, Waiting: 2, Moving: 3, Completed: 4 } as const;

/** What needs attention, in the strip's order; then what moves; then what is at rest. */
function urgency(row: RolloutRow): number {
  return row.attention ? RANK[row.attention.urgency] : REST[row.outcome];
}

function Sorted(props: { by: SortKey; children: string }) {
  const sort = (query.value.get("sort") as SortKey | null) ?? "state";
  const active = sort === props.by;
  return (
    <th scope="col" aria-sort={active ? "ascending" : undefined}>
      <button type="button" class="sort" onClick={() => setQuery("sort", props.by === "state" ? "" : props.by)}>
        {props.children}
        <span aria-hidden="true">{active ? " ↓" : ""}</span>
      </button>
    </th>
  );
}

function useWindow(count: number) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [range, setRange] = useState({ from: 0, to: 60 });
  useEffect(() => {
    const look = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const from = Math.max(0, Math.floor(-top / ROW) - SPARE);
      const to = from + Math.ceil(innerHeight / ROW) + 2 * SPARE;
      setRange((old) => (old.from === from && old.to === to ? old : { from, to }));
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [count]);
  return { body, ...(count <= WHOLE ? { from: 0, to: count } : range) };
}

export function FleetTable({ rows }: { rows: RolloutRow[] }) {
  const sort = (query.value.get("sort") as SortKey | null) ?? "state";
  const sorted = [...rows].sort(ORDERS[sort] ?? ORDERS.state);
  const { body, from, to } = useWindow(sorted.length);
  if (rows.length === 0) return <Empty title="No rollout matches.">Change the search or the filters.</Empty>;
  const shown = sorted.slice(from, to);
  return (
    <table class="fleet" aria-rowcount={sorted.length + 1}>
      <caption class="unseen">Rollouts</caption>
      <thead>
        <tr>
          <Sorted by="state">State</Sorted>
          <Sorted by="name">Rollout</Sorted>
          <th scope="col">Revision</th>
          <th scope="col">Wave</th>
          <th scope="col">Clusters</th>
          <Sorted by="started">Started</Sorted>
          <th scope="col">Ends</th>
        </tr>
      </thead>
      <tbody ref={body}>
        {from > 0 ? <Gap rows={from} /> : null}
        {shown.map((row, index) => (
          <Row row={row} index={from + index} key={key(row)} />
        ))}
        {to < sorted.length ? <Gap rows={sorted.length - to} /> : null}
      </tbody>
    </table>
  );
}

function Gap({ rows }: { rows: number }) {
  return (
    <tr aria-hidden="true" class="gap">
      <td colSpan={7} style={{ height: `${rows * ROW}px` }} />
    </tr>
  );
}

function Row({ row, index }: { row: RolloutRow; index: number }) {
  const moves = row.outcome === "Moving" || row.outcome === "Waiting";
  return (
    <tr aria-rowindex={index + 2} onClick={(event) => open(event, row)}>
      <td class="col-state">
        <Tag look={lookOf(row)}>{row.state}</Tag>
      </td>
      <th scope="row" class="col-name">
        <a data-row href={rolloutHref(row)}>
          <span class="faint">{row.namespace}/</span>
          {row.name}
        </a>
      </th>
      <td class="col-revision">
        {moves && row.from && row.from !== row.revision ? <span class="faint">{row.from.slice(0, 7)} → </span> : null}
        <code>{row.revision?.slice(0, 7) ?? "none"}</code>
      </td>
      <td class="col-wave">{moves ? row.wave : null}</td>
      <td class="col-matrix">
        <span class="matrix-line">
        <Matrix row={row} />
        <span class="matrix-count" aria-hidden="true">
          {row.counts.promoted}/{row.counts.total}
          <Troubles row={row} />
        </span>
        </span>
      </td>
      <td class="col-time">{row.startedAt ? <Ago at={row.startedAt} /> : null}</td>
      <td class="col-time">
        <Ends row={row} />
      </td>
    </tr>
  );
}

/** When it ends, as far as that can be said. */
function Ends({ row }: { row: RolloutRow }) {
  if (row.endedAt) return <Ago at={row.endedAt} />;
  if (row.goingBack) return <>going back</>;
  if (row.outcome === "Waiting") return <>when a person acts</>;
  return row.until ? <Countdown until={row.until} /> : <>{row.estimate}</>;
}

/** The whole row opens; its link does it for the keyboard and for new tabs. */
function open(event: MouseEvent, row: RolloutRow): void {
  const onLink = (event.target as Element).closest("a, button");
  if (!onLink && !String(getSelection())) go(rolloutHref(row));
}
