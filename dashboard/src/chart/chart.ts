// Charts, loaded when the first one is needed.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { figure, times } from "../text/figures";

export interface Line {
  name: string;
  /** Name of the style sheet's colour. */
  color: string;
  values: (number | null)[];
  dashed?: boolean;
}

export interface Mark {
  at: number;
  label: string;
}

/** A dot for each point of the first line: its colour, and a glyph where there is no number. */
export interface Dot {
  color: string;
  glyph: string;
}

/** What is drawn. Evidence is given as its logarithm and read as times. */
export interface Drawing {
  unit: "%" | "times" | "";
  at: number[];
  lines: Line[];
  marks: Mark[];
  dots?: (Dot | null)[];
}

const HEIGHT = 200;
/** Room above the lines for the names of the steps, and beside them for the last one. */
const ROOM_ABOVE = 18;
const ROOM_RIGHT = 36;
const LABEL_FONT = "11px system-ui, sans-serif";
/** Least span of time, in seconds. */
const SPAN_MIN = 60;
/** Evidence below a hundredth, or a thousand times beyond its bar, is off the chart. */
const BELOW = Math.log(0.01);
const BEYOND = Math.log(1_000);

const clock = (seconds: number, length: number) => new Date(seconds * 1_000).toISOString().slice(11, length);

function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Vertical marks where steps begin. */
function drawMarks(plot: uPlot, marks: Mark[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colorOf("--line-strong");
  ctx.fillStyle = colorOf("--muted");
  ctx.textAlign = "left";
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
  let free = 0;
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    // Steps that follow each other closely would write over each other.
    const from = x + 4 * devicePixelRatio;
    const width = ctx.measureText(mark.label).width;
    if (from < free || from + width > bbox.left + bbox.width + ROOM_RIGHT * devicePixelRatio) continue;
    ctx.fillText(mark.label, from, bbox.top - 5 * devicePixelRatio);
    free = from + width + 4 * devicePixelRatio;
  }
  ctx.restore();
}

/** Dots of the first line; a point without a number has its glyph on the floor. */
function drawDots(plot: uPlot, dots: (Dot | null)[]): void {
  const { ctx, bbox } = plot;
  const [at, values] = plot.data;
  ctx.save();
  ctx.textAlign = "center";
  ctx.font = `bold ${12 * devicePixelRatio}px system-ui, sans-serif`;
  dots.forEach((dot, index) => {
    const moment = at[index];
    if (!dot || moment === undefined) return;
    const x = plot.valToPos(moment, "x", true);
    const value = values?.[index];
    ctx.fillStyle = colorOf(dot.color);
    if (value == null) {
      // One glyph tells of all points in a row.
      const last = dots[index - 1];
      if (last?.glyph === dot.glyph && values?.[index - 1] == null) return;
      ctx.fillText(dot.glyph, x, bbox.top + bbox.height - 4 * devicePixelRatio);
      return;
    }
    ctx.beginPath();
    ctx.arc(x, plot.valToPos(value, "y", true), (dot.glyph ? 3.5 : 1.75) * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
  });
  ctx.restore();
}

/** Powers of ten in a range of logarithms. */
function powers(min: number, max: number): number[] {
  const ten = Math.log(10);
  const splits: number[] = [];
  for (let power = Math.ceil(min / ten); power * ten <= max; power += 1) splits.push(power * ten);
  return splits;
}

/** The range of a scale: what is drawn, and a little room. */
function rangeOf(unit: Drawing["unit"], lines: Line[]): uPlot.Range.MinMax {
  const drawn = lines.flatMap((line) => line.values).filter((value) => value !== null);
  const low = drawn.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = drawn.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(low)) return unit === "times" ? [BELOW, Math.log(100)] : [0, 1];
  if (unit === "times") {
    const bars = lines.filter((line) => line.dashed).flatMap((line) => line.values);
    const bar = bars.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);
    return [Math.max(BELOW, Math.min(low, 0)) - 0.3, Math.min(high, bar + BEYOND) + 0.5];
  }
  const from = unit === "%" ? 0 : Math.min(low, 0);
  const room = high > from ? (high - from) * 0.12 : 1;
  // A line along zero is seen, too.
  return [from - room * 0.3, high + room];
}

export interface Drawn {
  update(next: Drawing): void;
  resize(width: number): void;
  destroy(): void;
}

export function drawChart(into: HTMLElement, width: number, drawing: Drawing): Drawn {
  let shown = drawing;
  const { unit } = drawing;
  const axis = {
    stroke: colorOf("--muted"),
    font: LABEL_FONT,
    grid: { stroke: colorOf("--line"), width: 1 },
    ticks: { stroke: colorOf("--line"), width: 1 },
  };
  const told = (value: number | null) => {
    if (value === null) return "none";
    if (unit === "times") return times(value);
    return unit === "%" ? `${figure(value)} %` : figure(value);
  };
  const plot = new uPlot(
    {
      width,
      height: HEIGHT,
      padding: [ROOM_ABOVE, ROOM_RIGHT, 0, 0],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "UTC"),
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
      scales: { x: { time: true, range: (_, from, to) => [from, Math.max(to, from + SPAN_MIN)] }, y: { range: () => rangeOf(unit, shown.lines) } },
      axes: [
        {
          ...axis,
          space: 74,
          size: 32,
          values: (_, moments, __, ___, increment) => moments.map((seconds) => clock(seconds, increment < 60 ? 19 : 16)),
        },
        {
          ...axis,
          size: 52,
          // A tick has no room for words.
          values: (_, splits) => splits.map((value) => figure(unit === "times" ? Math.exp(value) : value)),
          ...(unit === "times" ? { splits: (_: uPlot, __: number, min: number, max: number) => powers(min, max) } : {}),
        },
      ],
      series: [
        { label: "UTC", value: (_, seconds) => (seconds === null ? "none" : clock(seconds, 19)) },
        ...drawing.lines.map((line) => ({
          label: line.name,
          stroke: colorOf(line.color),
          width: line.dashed ? 1.25 : 1.75,
          // A single point makes no line.
          points: { show: (self: uPlot) => self.data[0].length === 1 },
          ...(line.dashed ? { dash: [6, 4] } : {}),
          value: (_: uPlot, value: number | null) => told(value),
        })),
      ],
      hooks: {
        draw: [
          (self) => {
            drawMarks(self, shown.marks);
            drawDots(self, shown.dots ?? []);
          },
        ],
        setCursor: [(self) => tellNewest(self.data[0].length)],
      },
    },
    [drawing.at, ...drawing.lines.map((line) => line.values)],
    into,
  );
  // Without a pointer over the chart the legend tells the newest point.
  const tellNewest = (count: number) => {
    if (plot.cursor.idx == null && count > 0) plot.setLegend({ idx: count - 1 }, false);
  };
  tellNewest(drawing.at.length);
  return {
    update(next) {
      shown = next;
      plot.setData([next.at, ...next.lines.map((line) => line.values)]);
      tellNewest(next.at.length);
    },
    resize: (next) => plot.setSize({ width: next, height: HEIGHT }),
    destroy: () => plot.destroy(),
  };
}
