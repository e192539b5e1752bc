// Small pieces that every screen uses.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Look } from "../text/glyphs";
import { now } from "../state/clock";
import { moment, span } from "../text/time";

export function Tag({ look, children }: { look: Look; children: ComponentChildren }) {
  return (
    <span class={`tag tone-${look.tone}`}>
      <span class="glyph" aria-hidden="true">
        {look.glyph}
      </span>
      {children}
    </span>
  );
}

/** A sentence whose names of clusters and the like are not broken at their hyphens. */
export function Words({ text }: { text: string }) {
  const parts = text.split(/(\S+-\S+)/);
  return (
    <>
      {parts.map((part, index) =>
        index % 2 ? (
          <span class="whole" key={index}>
            {part}
          </span>
        ) : (
          part
        ),
      )}
    </>
  );
}

/** How long ago, or for how long; the exact moment on hover. */
export function Ago({ at, suffix = " ago" }: { at: string; suffix?: string }) {
  return (
    <time dateTime={at} title={moment(at)}>
      {span(now.value - Date.parse(at))}
      {suffix}
    </time>
  );
}

/** Time left until a moment; it may take longer, so it is said as the earliest end. */
export function Countdown({ until }: { until: string }) {
  const left = Date.parse(until) - now.value;
  return (
    <time class="countdown" dateTime={until} title={`earliest ${moment(until)}`}>
      {left > 0 ? `earliest in ${span(left)}` : "due now"}
    </time>
  );
}

export function Copy({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 2_000);
    } catch {
      // Without the right to the clipboard the text itself can still be selected.
      setCopied(false);
    }
  };
  return (
    <span class="copy">
      <code>{text}</code>
      <button type="button" class="quiet" onClick={copy} aria-label={`Copy: ${label}`}>
        {copied ? "Copied" : "Copy"}
      </button>
    </span>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children ? <p>{children}</p> : null}
    </div>
  );
}

/** A table that may be wider than the window: it scrolls by itself, by keys too. */
export function Wide({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}

export function Heading({ children }: { children: ComponentChildren }) {
  return <h1 tabIndex={-1}>{children}</h1>;
}
