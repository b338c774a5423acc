/** Chart of a gauge's water level with its threshold lines. */
import { TIME_ZONE } from "../config/city.js";
import { pick, t } from "../i18n/i18n.js";
import { metres, time } from "../ui/format.js";
import { theme, token } from "../ui/theme.js";
import { uPlot } from "../ui/uplot.js";

const LEVEL_LINES = {
  light: { 4: "#aa00aa", 3: "#e02300", 2: "#a89a00", 1: "#78828c" },
  dark: { 4: "#f07cf0", 3: "#ff7a5c", 2: "#f2e700", 1: "#c5ccd3" },
};
const GAP_MS = 40 * 60_000;
const HEIGHT = 210;
/** Up to this many observations each is a dot: a single one between two silences has no line to be seen by. */
const DOTTED = 200;

/** Columns for uPlot (seconds, metres); a silence becomes a gap in the line, never a straight bridge over it. */
export function toColumns(pairs) {
  const columns = [[], []];
  pairs.forEach(([at, value], n) => {
    const silence = n > 0 ? at - pairs[n - 1][0] : 0;
    if (silence > GAP_MS) push(columns, (at - 1) / 1000, null);
    push(columns, at / 1000, typeof value === "number" ? value : null);
  });
  return columns;
}

function push([times, values], at, value) {
  times.push(at);
  values.push(value);
}

/** Text that says what the chart shows. */
export function summary(pairs, from, until) {
  const values = pairs.map(([, value]) => value).filter((value) => typeof value === "number");
  if (values.length === 0) return t("noHistory");
  const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  return t("chartSummary", {
    from: time(from, "short"), until: time(until, "short"), count: values.length,
    low: metres(low), high: metres(high), last: metres(values.at(-1)),
  });
}

function drawThresholds(plot, thresholds) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.font = `600 ${11 * devicePixelRatio}px ${token("--font")}`;
  for (const row of thresholds) {
    const y = Math.round(plot.valToPos(row.metres, "y", true));
    const colour = LEVEL_LINES[theme()][row.level];
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.fillStyle = colour;
    ctx.fillText(`${row.level}  ${pick(row.water)}  ${metres(row.metres)}`, bbox.left + 6 * devicePixelRatio, y - 5 * devicePixelRatio);
  }
  ctx.restore();
}

function axis(extra) {
  const rule = { stroke: token("--chart-grid"), width: 1 };
  return { stroke: token("--ink-soft"), font: `12px ${token("--font")}`, grid: rule, ticks: rule, ...extra };
}

const tickText = (span) => (span > 3 * 86_400 ? "day" : "hour");

function options(width, from, until, thresholds, dots) {
  return {
    width, height: HEIGHT, legend: { show: false }, cursor: { y: false, points: { size: 8 } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), TIME_ZONE),
    scales: { x: { range: [from / 1000, until / 1000] }, y: { range: (_, low, high) => verticalRange(low, high, thresholds) } },
    axes: [
      axis({ values: (_, ticks) => ticks.map((tick) => time(tick * 1000, tickText((until - from) / 1000))) }),
      axis({ size: 52, values: (_, ticks) => ticks.map((tick) => `${Number(tick.toFixed(2))} m`) }),
    ],
    series: [{}, { stroke: token("--accent"), width: 2, fill: `${token("--accent")}1f`, points: { show: dots, size: 4, fill: token("--accent") }, spanGaps: false }],
    hooks: { draw: [(plot) => drawThresholds(plot, thresholds)] },
  };
}

/** All thresholds are in sight: how far there is to go is what one wants to see. */
function verticalRange(low, high, thresholds) {
  const values = [low, high, ...thresholds.map((row) => row.metres)].filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = Math.max((most - least) * 0.12, 0.05);
  return [least - margin, most + margin];
}

/** Draw into `container`; `onHover(seconds|null, metres|null)` follows the cursor. Gives the plot. */
export function drawHistory(container, pairs, { from, until, thresholds, onHover }) {
  const known = thresholds.filter((row) => row.metres !== null);
  const settings = options(container.clientWidth, from, until, known, pairs.length <= DOTTED);
  settings.hooks.setCursor = [(plot) => {
    const at = plot.cursor.idx ?? null;
    onHover(at === null ? null : plot.data[0][at] * 1000, at === null ? null : plot.data[1][at]);
  }];
  return new uPlot(settings, toColumns(pairs), container);
}
