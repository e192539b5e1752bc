// Where the page is. The path names the screen, the query its filters: a link shows the same.
import { signal } from "@preact/signals";

export type Tab = "overview" | "analysis" | "history" | "plan";

export type Route =
  | { screen: "fleet" }
  | { screen: "clusters" }
  | { screen: "rollout"; namespace: string; name: string; tab: Tab }
  | { screen: "none" };

export const route = signal<Route>(parse(location.pathname));
export const query = signal(new URLSearchParams(location.search));

function parse(path: string): Route {
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  const [first, namespace, name, tab] = parts;
  if (parts.length === 0) return { screen: "fleet" };
  if (first === "clusters" && parts.length === 1) return { screen: "clusters" };
  if (first === "rollouts" && namespace && name && parts.length <= 4) {
    if (tab === undefined) return { screen: "rollout", namespace, name, tab: "overview" };
    if (tab === "analysis" || tab === "history" || tab === "plan") return { screen: "rollout", namespace, name, tab };
  }
  return { screen: "none" };
}

function read(): void {
  route.value = parse(location.pathname);
  query.value = new URLSearchParams(location.search);
}

export function go(href: string): void {
  history.pushState(null, "", href);
  read();
  scrollTo(0, 0);
  // A screen reader starts at the new screen's heading.
  requestAnimationFrame(() => document.querySelector<HTMLElement>("h1")?.focus());
}

/** Changes one filter without a new step in the history. */
export function setQuery(name: string, value: string): void {
  const next = new URLSearchParams(location.search);
  if (value) next.set(name, value);
  else next.delete(name);
  const text = next.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
  read();
}

export function rolloutHref(row: { namespace: string; name: string }, tab?: Tab): string {
  const base = `/rollouts/${encodeURIComponent(row.namespace)}/${encodeURIComponent(row.name)}`;
  return tab && tab !== "overview" ? `${base}/${tab}` : base;
}

addEventListener("popstate", read);
/** Links to our own screens do not load the page anew. */
addEventListener("click", (event) => {
  const link = (event.target as Element | null)?.closest?.("a");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.target || link.origin !== location.origin) return;
  if (link.getAttribute("href")?.startsWith("#")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
