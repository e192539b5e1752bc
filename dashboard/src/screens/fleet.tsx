// Fleet: what needs attention, then everything.
import { computed } from "@preact/signals";
import { useState } from "preact/hooks";
import type { Outcome, RolloutRow } from "../api/types";
import { Empty, Heading, Tag } from "../parts/bits";
import { FleetTable } from "../parts/fleettable";
import { query, rolloutHref, setQuery } from "../state/route";
import { key, rowList } from "../state/store";
import { lookOf, OUTCOMES, URGENCIES } from "../text/glyphs";

/** Rollouts that the strip shows before it is opened. */
const SHOWN = 8;
const RANK = { Critical: 0, Blocked: 1, Asked: 2 } as const;

const attention = computed(() =>
  rowList.value
    .filter((row) => row.attention)
    .sort((a, b) => rank(a) - rank(b) || key(a).localeCompare(key(b))),
);

const rank = (row: RolloutRow) => (row.attention ? RANK[row.attention.urgency] : 3);

function Attention() {
  const [all, setAll] = useState(false);
  const rows = attention.value;
  if (rows.length === 0) {
    return (
      <section class="strip calm" aria-label="Needs attention">
        <span class="tag tone-good">
          <span class="glyph" aria-hidden="true">
            ✔
          </span>
          Nothing needs attention
        </span>
      </section>
    );
  }
  const shown = all ? rows : rows.slice(0, SHOWN);
  return (
    <section class="strip" aria-labelledby="attention">
      <h2 id="attention">
        Needs attention <span class="faint">{rows.length}</span>
      </h2>
      <ul>
        {shown.map((row) => (
          <AttentionRow row={row} key={key(row)} />
        ))}
      </ul>
      {rows.length > SHOWN ? (
        <button type="button" class="quiet" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${rows.length}`}
        </button>
      ) : null}
    </section>
  );
}

const HINTS = { Critical: "See why", Blocked: "See why", Asked: "Decide" } as const;

function AttentionRow({ row }: { row: RolloutRow }) {
  const what = row.attention;
  if (!what) return null;
  const look = row.goingBack || row.outcome === "Aborted" ? lookOf(row) : URGENCIES[what.urgency];
  return (
    <li class={`edge-${look.tone}`}>
      <Tag look={look}>{what.word}</Tag>
      <a href={rolloutHref(row)} class="strip-name">
        {row.namespace}/<strong>{row.name}</strong>
      </a>
      <span class="strip-why">{what.sentence}</span>
      <a href={rolloutHref(row)} class="strip-go" aria-label={`${HINTS[what.urgency]}: ${row.name}`}>
        {HINTS[what.urgency]} →
      </a>
    </li>
  );
}

const STATES: (Outcome | "")[] = ["", "Moving", "Waiting", "Stalled", "Aborted", "Completed"];

const filtered = computed(() => {
  const text = (query.value.get("q") ?? "").toLowerCase();
  const state = query.value.get("state") ?? "";
  const namespace = query.value.get("namespace") ?? "";
  return rowList.value.filter(
    (row) =>
      (!state || row.outcome === state) &&
      (!namespace || row.namespace === namespace) &&
      (!text || haystack(row).includes(text)),
  );
});

function haystack(row: RolloutRow): string {
  return `${key(row)} ${row.state} ${row.revision ?? ""} ${row.wave ?? ""}`.toLowerCase();
}

const namespaces = computed(() => [...new Set(rowList.value.map((row) => row.namespace))].sort());

function Filters() {
  const state = query.value.get("state") ?? "";
  const counts = new Map<string, number>([["", rowList.value.length]]);
  for (const row of rowList.value) counts.set(row.outcome, (counts.get(row.outcome) ?? 0) + 1);
  return (
    <div class="filters">
      <input
        id="search"
        type="search"
        aria-label="Search rollouts"
        placeholder="Search   /"
        value={query.value.get("q") ?? ""}
        onInput={(event) => setQuery("q", event.currentTarget.value)}
      />
      <div class="chips" role="group" aria-label="State">
        {STATES.map((one) => (
          <button
            type="button"
            key={one}
            aria-pressed={state === one}
            onClick={() => setQuery("state", one)}
          >
            {one ? <span aria-hidden="true">{OUTCOMES[one].glyph} </span> : null}
            {one || "All"} <span class="faint">{counts.get(one) ?? 0}</span>
          </button>
        ))}
      </div>
      <select
        aria-label="Namespace"
        value={query.value.get("namespace") ?? ""}
        onChange={(event) => setQuery("namespace", event.currentTarget.value)}
      >
        <option value="">all namespaces</option>
        {namespaces.value.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

export function Fleet() {
  return (
    <>
      <Heading>Fleet</Heading>
      <Attention />
      <Filters />
      {rowList.value.length === 0 ? (
        <Empty title="There are no rollouts yet.">
          Apply one with kubectl; it shows here within a second. You see the namespaces in which you may list
          rollouts.
        </Empty>
      ) : (
        <FleetTable rows={filtered.value} />
      )}
    </>
  );
}
