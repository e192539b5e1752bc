// What an abort does, cluster by cluster.
import type { Card, RolloutPage } from "../api/types";
import { Words } from "./bits";

/** Names that are told one by one. */
const NAMES_MAX = 24;

function listed(cards: Card[], told: (card: Card) => string): string {
  const names = cards.slice(0, NAMES_MAX).map(told);
  if (cards.length > NAMES_MAX) names.push(`${cards.length - NAMES_MAX} more`);
  return names.join(", ");
}

const carries = (card: Card) => card.weight > 0 || card.acknowledgedWeight > 0;

export function Exactly({ page }: { page: RolloutPage }) {
  const cards = page.lanes.flatMap((lane) => lane.cards);
  const out = cards.filter((card) => card.unreachableSince !== null);
  const reached = cards.filter((card) => card.unreachableSince === null);
  const promoted = reached.filter((card) => card.phase === "Promoted");
  const moving = reached.filter((card) => card.phase !== "Promoted" && carries(card));
  const rest = reached.filter((card) => card.phase !== "Promoted" && !carries(card));
  const share = (card: Card) => `${card.name} ${Math.max(card.weight, card.acknowledgedWeight)} %`;
  const back = (card: Card) => (card.from ? `${card.name} to ${card.from}` : card.name);
  const rows: [string, Card[], (card: Card) => string][] = [
    ["To 0 % at once", moving, share],
    ["Go back", promoted, back],
    ["Owed, first write on return", out, (card) => card.name],
    ["Have no traffic of it", rest, (card) => card.name],
  ];
  return (
    <dl class="exactly">
      {rows.map(([name, own, told]) =>
        own.length === 0 ? null : (
          <div key={name}>
            <dt>
              {name} <span class="faint">({own.length})</span>
            </dt>
            <dd>
              <Words text={listed(own, told)} />
            </dd>
          </div>
        ),
      )}
    </dl>
  );
}
