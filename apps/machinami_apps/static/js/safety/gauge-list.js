/** The list of gauges, most serious first; rows are kept and only touched when they change, also with thousands. */
import { pick, t } from "../i18n/i18n.js";
import { badge } from "../ui/badge.js";
import { h } from "../ui/dom.js";
import { age, metres } from "../ui/format.js";
import { bySeverity } from "./gauges.js";

const rows = new Map();

/** What the list says beside the value: how old it is, in words for a silent gauge. */
export function ageText(gauge) {
  if (gauge.observedAt === null || gauge.value === null) return t("neverObserved");
  if (gauge.state.key !== "silent") return age(gauge.age);
  return t(gauge.age < 0 ? "aheadBy" : "silentFor", { age: age(gauge.age) });
}

const subtitle = (gauge) => [gauge.river, gauge.point ? null : t("noPosition")].filter(Boolean).join(" · ");

function content(gauge) {
  const silent = gauge.state.key === "silent";
  return [
    badge(gauge.state, 30),
    h("span", { class: "gauge-name" }, gauge.name, h("small", {}, subtitle(gauge))),
    h("span", { class: "gauge-reading" },
      h("span", { class: "gauge-value number" }, silent ? pick(gauge.state.label) : metres(gauge.value)),
      h("small", { class: "number" }, ageText(gauge))),
  ];
}

function makeRow(gauge, onPick) {
  const button = h("button", { type: "button", "data-id": gauge.id, onclick: () => onPick(gauge.id) });
  return { item: h("li", { class: "gauge" }, button), button, said: "" };
}

function updateRow(row, gauge, selected) {
  const said = [pick(gauge.state.label), gauge.name, subtitle(gauge), metres(gauge.value), ageText(gauge)].join(", ");
  row.button.setAttribute("aria-current", String(selected));
  if (row.said === said) return;
  row.said = said;
  row.button.setAttribute("aria-label", said);
  row.button.dataset.state = gauge.state.key;
  row.button.replaceChildren(...content(gauge));
}

function rowOf(gauge, onPick) {
  if (!rows.has(gauge.id)) rows.set(gauge.id, makeRow(gauge, onPick));
  return rows.get(gauge.id);
}

/** Fill the `<ol>` with the gauges. */
export function showList(list, gauges, selectedId, onPick) {
  const wanted = [...gauges].sort(bySeverity).map((gauge) => {
    const row = rowOf(gauge, onPick);
    updateRow(row, gauge, gauge.id === selectedId);
    return row.item;
  });
  const same = wanted.length === list.children.length && wanted.every((item, n) => item === list.children[n]);
  if (same) return;
  const focused = document.activeElement;
  list.replaceChildren(...wanted);
  if (list.contains(focused)) focused.focus({ preventScroll: true });
}
