/** Counts by state, which are filters too, and the legend of the map. */
import { STATES } from "../config/alert-levels.js";
import { pick, t } from "../i18n/i18n.js";
import { badge } from "../ui/badge.js";
import { h } from "../ui/dom.js";
import { number } from "../ui/format.js";

const counted = STATES.filter(({ level, threshold }) => level === undefined || threshold);

/** Buttons with the number of gauges in each state; `active` is the key filtered by, or null. */
export function showCounts(container, counts, active, onToggle) {
  const focused = document.activeElement?.dataset.state;
  container.replaceChildren(...counted.map((state) => countButton(state, counts[state.key], active === state.key, onToggle)));
  if (focused) container.querySelector(`[data-state="${focused}"]`)?.focus();
}

const countButton = (state, count, pressed, onToggle) =>
  h("button", {
    type: "button", class: "count", "data-state": state.key, "data-none": count === 0, "aria-pressed": String(pressed),
    onclick: () => onToggle(pressed ? null : state.key),
  }, badge(state, 26), h("strong", { class: "number" }, number(count)), h("span", {}, pick(state.label)));

export function showLegend(list) {
  list.replaceChildren(...STATES.map((state) =>
    h("li", {}, badge(state, 24), h("span", {}, pick(state.label), h("small", {}, pick(state.note)),
      state.level === 5 && h("small", {}, t("notJudged"))))));
}
