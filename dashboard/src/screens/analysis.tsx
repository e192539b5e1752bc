// Analysis: both arms over time, the evidence against its bars, the query, and the same as a table.
import { useEffect } from "preact/hooks";
import { analysis as askAnalysis } from "../api/client";
import type { RolloutPage } from "../api/types";
import { Empty } from "../parts/bits";
import { Metric } from "../parts/metric";
import { query, setQuery } from "../state/route";
import { analysis, key, me, open } from "../state/store";
import { CELLS } from "../text/glyphs";

function choose(page: RolloutPage): string | null {
  const asked = query.value.get("cluster");
  if (asked) return asked;
  const cards = page.lanes.flatMap((lane) => lane.cards);
  const first = cards.find((card) => card.cell === "Failed") ?? cards.find((card) => card.phase === "Canary");
  return (first ?? cards[0])?.name ?? null;
}

function Clusters(props: { page: RolloutPage; chosen: string; known: string[] }) {
  const cards = props.page.lanes.flatMap((lane) => lane.cards);
  const moving = cards.filter((card) => card.phase === "Canary" || card.cell === "Failed").map((card) => card.name);
  const names = [...new Set([...moving, ...props.known, props.chosen])];
  return (
    <div class="chips" role="group" aria-label="Cluster">
      {names.map((name) => {
        const card = cards.find((one) => one.name === name);
        return (
          <button type="button" key={name} aria-pressed={name === props.chosen} onClick={() => setQuery("cluster", name)}>
            <span aria-hidden="true">{card ? CELLS[card.cell].glyph : "·"} </span>
            {name}
          </button>
        );
      })}
    </div>
  );
}

export function Analysis({ page }: { page: RolloutPage }) {
  const chosen = choose(page);
  const full = key(page.row);
  useEffect(() => {
    open(full, chosen);
    let here = true;
    if (chosen) {
      // The stream sends news; what there is already is asked for once.
      askAnalysis(page.row.namespace, page.row.name, chosen).then(
        (answer) => here && !analysis.value && (analysis.value = answer),
        () => undefined,
      );
    }
    return () => {
      here = false;
    };
  }, [full, chosen]);
  if (!chosen) return <Empty title="There is no cluster to analyse yet." />;
  const shown = analysis.value?.cluster === chosen ? analysis.value : null;
  // Each series keeps the last attempt that it was fed in: one that rests yet is of an older one.
  const newest = Math.max(0, ...(shown?.series ?? []).map((one) => one.attempt));
  const series = (shown?.series ?? []).filter((one) => one.attempt === newest);
  return (
    <>
      <Clusters page={page} chosen={chosen} known={shown?.clusters ?? []} />
      {page.analysis.length === 0 ? (
        <Empty title="No metrics gate this rollout.">Name an AnalysisTemplate in spec.analysis to have them judged.</Empty>
      ) : series.length === 0 ? (
        <NoEvidence from={chosen} />
      ) : (
        <>
          <Earlier shown={newest} present={page.row.attempt} cluster={chosen} />
          {series.map((one) => (
            <Metric series={one} key={one.metric} />
          ))}
        </>
      )}
    </>
  );
}

/** What an earlier attempt has shown must not pass for evidence of this one. */
function Earlier({ shown, present, cluster }: { shown: number; present: number | null; cluster: string }) {
  if (present === null || shown === present) return null;
  return (
    <p class="tone-wait">
      ! Nothing has been measured in attempt {present} in {cluster}. Below is what attempt {shown} has shown.
    </p>
  );
}

/** Only the hub has evidence over time: a page that a user's own kubeconfig feeds never gets any. */
function NoEvidence({ from }: { from: string }) {
  if (me.value?.signIn === "Code") {
    return (
      <Empty title="Evidence over time is not shown here.">
        The hub keeps it, and its own dashboard shows it. The verdicts are on the cards of the overview.
      </Empty>
    );
  }
  return (
    <Empty title={`No evidence from ${from} yet.`}>
      Points appear when a gate is open there. The hub keeps the last hour, and none across its restarts.
    </Empty>
  );
}
