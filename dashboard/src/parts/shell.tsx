// What stands around every screen: the head, the banner of truth, the live region.
import type { ComponentChildren } from "preact";
import { signOut } from "../api/client";
import { now } from "../state/clock";
import { route } from "../state/route";
import { clockOffset, deafSince, lostSince, me, news, rowList, start } from "../state/store";
import { theme, toggleTheme } from "../state/theme";
import { helpOpen } from "./help";
import { span } from "../text/time";

function Banner() {
  const lost = lostSince.value;
  const deaf = deafSince.value;
  const since = lost ?? deaf;
  if (since === null) return null;
  const age = span(now.value - clockOffset.value - since);
  return (
    <div class="banner" role="status">
      <span class="glyph" aria-hidden="true">
        !
      </span>
      <strong>Stale for {age}.</strong>{" "}
      {lost !== null
        ? "The connection to the dashboard's server is lost; trying again. What you see may be old."
        : "The hub's API server does not answer. What you see may be old, and nothing is decided until it does."}
    </div>
  );
}

function Nav() {
  const at = route.value.screen;
  const asking = rowList.value.filter((row) => row.attention).length;
  return (
    <nav aria-label="Screens">
      <a href="/" aria-current={at === "fleet" ? "page" : undefined}>
        Fleet
        {asking ? (
          <span class="count" title={`${asking} need attention`}>
            {asking}
            <span class="unseen"> need attention</span>
          </span>
        ) : null}
      </a>
      <a href="/clusters" aria-current={at === "clusters" ? "page" : undefined}>
        Clusters
      </a>
    </nav>
  );
}

function Who() {
  const who = me.value;
  if (!who) return null;
  const name = who.user ?? (who.signIn === "Code" ? "your kubeconfig" : "read-only");
  const leave = async () => {
    try {
      await signOut();
    } finally {
      await start();
    }
  };
  return (
    <span class="who" title={who.readOnly ?? `signed in as ${name}`}>
      <span class="who-name">{name}</span>
      {who.session ? (
        <button type="button" class="quiet" onClick={leave}>
          Sign out
        </button>
      ) : null}
    </span>
  );
}

export function Shell({ children }: { children: ComponentChildren }) {
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="head">
        <a class="brand" href="/" aria-label="Lockflight">
          <img src="/assets/icon.svg" alt="" width="22" height="22" />
          <span class="brand-word">Lockflight</span>
        </a>
        <Nav />
        <span class="hub" title={me.value?.hub}>
          {me.value?.hub}
        </span>
        <button type="button" class="quiet" onClick={toggleTheme}>
          {theme.value === "dark" ? "Light" : "Dark"}
        </button>
        <button type="button" class="quiet help-button" onClick={() => (helpOpen.value = true)} aria-label="Keys">
          ?
        </button>
        <Who />
      </header>
      <Banner />
      <main id="main" class={lostSince.value ?? deafSince.value ? "stale" : undefined}>
        {children}
      </main>
      <div class="unseen" role="status" aria-live="polite">
        {news.value}
      </div>
    </>
  );
}
