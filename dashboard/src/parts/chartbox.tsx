// The place of a chart. Its table twin and its sentence stand beside it; it says so.
import { useEffect, useRef } from "preact/hooks";
import type { Drawing, Drawn } from "../chart/chart";
import { theme } from "../state/theme";

export function Chart({ title, drawing }: { title: string; drawing: Drawing }) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const newest = useRef(drawing);
  newest.current = drawing;
  const colors = theme.value;
  // Lines that come or go need a chart of their own.
  const shape = drawing.lines.map((line) => line.name).join();
  useEffect(() => {
    const into = box.current;
    if (!into) return;
    let here = true;
    let observer: ResizeObserver | null = null;
    void import("../chart/chart").then(({ drawChart }) => {
      if (!here) return;
      drawn.current = drawChart(into, into.clientWidth, newest.current);
      observer = new ResizeObserver(() => drawn.current?.resize(into.clientWidth));
      observer.observe(into);
    });
    return () => {
      here = false;
      observer?.disconnect();
      drawn.current?.destroy();
      drawn.current = null;
    };
    // Colours are read when it is drawn; another theme draws it anew.
  }, [colors, shape]);
  const { at } = drawing;
  useEffect(() => drawn.current?.update(drawing), [at.length, at[at.length - 1]]);
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div ref={box} class="chart" role="img" aria-label={`${title}; the same in the table below`} />
    </figure>
  );
}
