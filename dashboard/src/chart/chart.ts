// Charts, loaded when the first one is needed.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

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

const HEIGHT = 190;

const hourAndMinute = (seconds: number) => new Date(seconds * 1_000).toISOString().slice(11, 16);

function colorOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Vertical marks where steps begin. */
function draw(plot: uPlot, marks: Mark[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colorOf("--line-strong");
  ctx.fillStyle = colorOf("--muted");
  ctx.textAlign = "left";
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(mark.label, x + 4 * devicePixelRatio, bbox.top + bbox.height - 6 * devicePixelRatio);
  }
  ctx.restore();
}

export interface Drawn {
  update(at: number[], lines: Line[], marks: Mark[]): void;
  resize(width: number): void;
  destroy(): void;
}

export function drawChart(into: HTMLElement, width: number, at: number[], lines: Line[], marks: Mark[]): Drawn {
  let shown = marks;
  const axis = {
    stroke: colorOf("--muted"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: colorOf("--line"), width: 1 },
    ticks: { stroke: colorOf("--line"), width: 1 },
  };
  const plot = new uPlot(
    {
      width,
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), "UTC"),
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
      scales: { x: { time: true } },
      axes: [{ ...axis, space: 70, values: (_, moments) => moments.map(hourAndMinute) }, { ...axis, size: 46 }],
      series: [
        { label: "UTC", value: (_, seconds) => (seconds === null ? "none" : new Date(seconds * 1_000).toISOString().slice(11, 19)) },
        ...lines.map((line) => ({
          label: line.name,
          stroke: colorOf(line.color),
          width: line.dashed ? 1.25 : 1.75,
          points: { show: false },
          ...(line.dashed ? { dash: [6, 4] } : {}),
          value: (_: uPlot, value: number | null) => (value === null ? "none" : value.toFixed(2)),
        })),
      ],
      hooks: {
        draw: [(self) => draw(self, shown)],
        setCursor: [(self) => tellNewest(self.data[0].length)],
      },
    },
    [at, ...lines.map((line) => line.values)],
    into,
  );
  // Without a pointer over the chart the legend tells the newest point.
  const tellNewest = (count: number) => {
    if (plot.cursor.idx == null && count > 0) plot.setLegend({ idx: count - 1 }, false);
  };
  tellNewest(at.length);
  return {
    update(nextAt, nextLines, nextMarks) {
      shown = nextMarks;
      plot.setData([nextAt, ...nextLines.map((line) => line.values)]);
      tellNewest(nextAt.length);
    },
    resize: (next) => plot.setSize({ width: next, height: HEIGHT }),
    destroy: () => plot.destroy(),
  };
}
