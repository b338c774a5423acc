/** The selected gauge: its state in words, thresholds, and the chart of its history. */
import { history } from "../api/temporal.js";
import { pick, t } from "../i18n/i18n.js";
import { badge } from "../ui/badge.js";
import { byId, h } from "../ui/dom.js";
import { metres, time } from "../ui/format.js";
import { ageText } from "./gauge-list.js";
import { LEVEL } from "./gauges.js";
import { drawHistory, summary } from "./history-chart.js";

const HOUR = 3_600_000;
const SPANS = [3, 24, 168];
let hours = 24;
let plot = null;
let drawn = "";

const identity = (gauge) =>
  h("div", { class: "detail-identity" },
    badge(gauge.state, 44),
    h("div", {},
      h("h2", { id: "detail-name" }, gauge.name, h("small", {}, gauge.river)),
      h("p", { class: "detail-state", "data-state": gauge.state.key },
        h("strong", {}, pick(gauge.state.label)), h("span", {}, pick(gauge.state.note)))));

function reading(gauge) {
  const silent = gauge.state.key === "silent";
  const danger = gauge.thresholds.find((row) => row.level === 4).metres;
  const below = !silent && danger !== null && gauge.value < danger;
  return h("div", { class: "detail-reading" },
    h("p", { class: "number", "data-silent": silent },
      silent && gauge.value !== null && h("small", {}, t("lastValue")), metres(gauge.value)),
    h("p", {}, gauge.observedAt === null ? "" : `${time(gauge.observedAt)} `, h("span", { class: "nowrap" }, `(${ageText(gauge)})`)),
    below && h("p", {}, t("untilDanger", { value: metres(danger - gauge.value) })));
}

const thresholdRow = (row) =>
  h("div", {}, h("dt", {}, `${row.level} ${pick(row.water)}`), h("dd", { class: "number" }, row.metres === null ? t("notSet") : metres(row.metres)));

const facts = (gauge) =>
  h("div", { class: "detail-facts" },
    h("dl", { "aria-label": t("thresholds") }, gauge.thresholds.map(thresholdRow)),
    h("a", { href: `/ngsi-ld/v1/entities/${encodeURIComponent(gauge.id)}`, target: "_blank", rel: "noopener" }, t("raw")));

function spanButtons(redraw) {
  const button = (span) =>
    h("button", { type: "button", "aria-pressed": String(span === hours), onclick: () => { hours = span; redraw(); } }, t(`span${span}`));
  return h("div", { class: "segments", role: "group", "aria-label": t("span") }, SPANS.map(button));
}

/** Show a gauge's words; the chart is loaded when the gauge, the period or (in steps of a minute) the time changes. */
export function showDetail(gauge, until, { onClose, force = false }) {
  const redraw = () => showDetail(gauge, until, { onClose, force: true });
  const panel = byId("detail");
  panel.hidden = false;
  byId("detail-text").replaceChildren(identity(gauge), reading(gauge), facts(gauge));
  byId("close").onclick = onClose;
  const wanted = [gauge.id, hours, Math.floor(until / 60_000)].join();
  if (!force && wanted === drawn) return;
  drawn = wanted;
  byId("chart-head").replaceChildren(h("h3", {}, t("history")), h("p", { id: "chart-cursor", class: "number" }), spanButtons(redraw));
  loadChart(gauge, until);
}

export function hideDetail() {
  byId("detail").hidden = true;
  drawn = "";
}

async function loadChart(gauge, until) {
  const mine = drawn;
  const from = until - hours * HOUR;
  if (plot === null) byId("chart").replaceChildren(h("span", { class: "skeleton chart-skeleton" }));
  try {
    const pairs = await history(gauge.id, LEVEL, from, until);
    if (mine === drawn) draw(gauge, pairs, from, until);
  } catch (error) {
    if (mine === drawn) say(t("historyFailed", { reason: error.message }));
  }
}

function say(text) {
  plot?.destroy();
  plot = null;
  byId("chart").replaceChildren(h("p", { class: "chart-empty" }, text));
}

function draw(gauge, pairs, from, until) {
  if (pairs.length === 0) return say(t("noHistory"));
  const chart = byId("chart");
  plot?.destroy();
  chart.replaceChildren();
  chart.setAttribute("aria-label", summary(pairs, from, until));
  plot = drawHistory(chart, pairs, { from, until, thresholds: gauge.thresholds, onHover: showCursor });
}

function showCursor(at, value) {
  byId("chart-cursor").textContent = at === null || value === null ? "" : `${time(at, "short")}  ${metres(value)}`;
}

addEventListener("resize", () => plot?.setSize({ width: byId("chart").clientWidth, height: plot.height }));
