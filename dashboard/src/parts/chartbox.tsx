// The place of a chart. Its table twin and its sentence stand beside it; it says so.
import { useEffect, useRef } from "preact/hooks";
import type { Drawn, Line, Mark } from "../chart/chart";
import { theme } from "../state/theme";

export function Chart(props: { title: string; at: number[]; lines: Line[]; marks: Mark[] }) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const colors = theme.value;
  useEffect(() => {
    const into = box.current;
    if (!into) return;
    let here = true;
    let observer: ResizeObserver | null = null;
    void import("../chart/chart").then(({ drawChart }) => {
      if (!here) return;
      drawn.current = drawChart(into, into.clientWidth, props.at, props.lines, props.marks);
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
  }, [colors]);
  useEffect(() => drawn.current?.update(props.at, props.lines, props.marks), [props.at.length, props.at[props.at.length - 1]]);
  return (
    <figure>
      <figcaption>{props.title}</figcaption>
      <div ref={box} class="chart" role="img" aria-label={`${props.title}; the same in the table below`} />
    </figure>
  );
}
