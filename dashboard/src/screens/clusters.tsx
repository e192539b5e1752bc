// Clusters: can the hub act there, and what goes on there.
import { computed } from "@preact/signals";
import type { ClusterRow } from "../api/types";
import { Ago, Empty, Heading, Tag, Wide } from "../parts/bits";
import { clusterList, rowList } from "../state/store";
import { cellOf, type Look } from "../text/glyphs";

function lookOf(row: ClusterRow): Look {
  if (row.ready === true) return { glyph: "✔", tone: "good" };
  if (row.ready === null) return { glyph: "·", tone: "rest" };
  return row.reason === "Unreachable" ? { glyph: "?", tone: "unknown" } : { glyph: "✖", tone: "bad" };
}

/** Rollouts that move in each cluster, and that are in trouble there. */
const work = computed(() => {
  const found = new Map<string, { moving: number; trouble: number }>();
  for (const row of rowList.value) {
    for (const wave of row.waves) {
      wave.clusters.forEach((name, index) => {
        const { tone } = cellOf(wave.states[index] ?? ".");
        if (tone === "good" || tone === "rest") return;
        const entry = found.get(name) ?? { moving: 0, trouble: 0 };
        if (tone === "move" || tone === "wait") entry.moving += 1;
        else entry.trouble += 1;
        found.set(name, entry);
      });
    }
  }
  return found;
});

function order(row: ClusterRow): number {
  return row.ready === false ? 0 : row.ready === null ? 1 : 2;
}

/** Namespaces that fit into a cell. */
const SHOWN_MAX = 3;

function Namespaces({ row }: { row: ClusterRow }) {
  const names = row.allowedNamespaces;
  if (names.length === 0) return <span class="tone-wait">none: nothing may act there</span>;
  const more = names.length - SHOWN_MAX;
  return <span title={names.join(", ")}>{names.slice(0, SHOWN_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "")}</span>;
}

function Row({ row }: { row: ClusterRow }) {
  const busy = work.value.get(row.name);
  const labels = Object.entries(row.labels).map(([name, value]) => `${name}=${value}`);
  return (
    <tr>
      <td class="col-state">
        <Tag look={lookOf(row)}>{row.reason}</Tag>
        {row.since ? (
          <span class="faint">
            {" "}
            <Ago at={row.since} suffix="" />
          </span>
        ) : null}
      </td>
      <th scope="row">
        {row.name}
        <span class="labels faint">{labels.join(" ")}</span>
        {row.ready === true ? null : <span class="narrow-why">{row.message}</span>}
      </th>
      <td>
        {busy?.moving ? <span>{busy.moving} moving</span> : null}
        {busy?.trouble ? <span class="tone-bad"> {busy.trouble} in trouble</span> : null}
        {busy ? null : <span class="faint">at rest</span>}
      </td>
      <td>{row.kubernetesVersion ?? <span class="faint">not known</span>}</td>
      <td>
        <Namespaces row={row} />
      </td>
      <td>{row.metricProvider ?? <span class="tone-wait">none: no gate can be judged</span>}</td>
      <td class="col-message col-why">{row.ready === true ? null : row.message}</td>
    </tr>
  );
}

export function Clusters() {
  const rows = [...clusterList.value].sort((a, b) => order(a) - order(b));
  const down = rows.filter((row) => row.ready === false).length;
  return (
    <>
      <Heading>Clusters</Heading>
      {rows.length === 0 ? (
        <Empty title="There are no clusters to see.">
          None are registered, or you may not list clusters.lockflight.dev.
        </Empty>
      ) : (
        <>
          <p class="summary">
            {rows.length - down} of {rows.length} can be acted in
            {down ? `; ${down} cannot. What they serve stays as it was.` : "."}
          </p>
          <Wide label="Clusters">
            <table class="clusters">
              <caption class="unseen">Clusters</caption>
              <thead>
                <tr>
                  {["State", "Cluster", "Rollouts", "Version", "Namespaces", "Metrics", "Why"].map((name) => (
                    <th scope="col" key={name}>
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map((row) => (
                  <Row row={row} key={row.name} />
                ))}
              </tbody>
            </table>
          </Wide>
        </>
      )}
    </>
  );
}
