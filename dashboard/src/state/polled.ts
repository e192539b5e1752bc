// Asking again and again for what the stream does not carry.
import { useEffect, useState } from "preact/hooks";
import { Refused } from "../api/client";

export interface Polled<T> {
  /** The newest answer about this subject. */
  found: T | null;
  /** Why the last request brought none; empty where it did. */
  problem: string;
  /** What helps against it. */
  remedy: string | null;
}

/**
 * What `ask` answers, asked for anew every `period` milliseconds, one request at a time: a slow
 * server is not asked again before it has answered. `subject` says what it is about, `details` how
 * it is asked. Where either changes it is asked at once, and what still comes for the old ones is
 * ignored; until there is news, the last answer about the same subject stays.
 */
export function usePolled<T>(
  ask: () => Promise<T>,
  period: number,
  subject: readonly unknown[],
  details: readonly unknown[] = [],
): Polled<T> {
  const about = JSON.stringify(subject);
  const [known, setKnown] = useState<Polled<T> & { about: string }>({ about, found: null, problem: "", remedy: null });
  useEffect(() => {
    let here = true;
    let underWay = false;
    const once = async () => {
      // Nobody looks at a hidden tab.
      if (underWay || document.hidden) return;
      underWay = true;
      try {
        const found = await ask();
        if (here) setKnown({ about, found, problem: "", remedy: null });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        const { message: problem, remedy } = error.problem;
        if (here) setKnown((last) => ({ about, found: last.about === about ? last.found : null, problem, remedy }));
      } finally {
        underWay = false;
      }
    };
    void once();
    const timer = setInterval(once, period);
    document.addEventListener("visibilitychange", once);
    return () => {
      here = false;
      clearInterval(timer);
      document.removeEventListener("visibilitychange", once);
    };
  }, [about, JSON.stringify(details), period]);
  return known.about === about ? known : { found: null, problem: "", remedy: null };
}
