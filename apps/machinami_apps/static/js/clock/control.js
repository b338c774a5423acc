/** Choosing as of when the page is read. A new time is a new address, so that it can be shared. */
import { t } from "../i18n/i18n.js";
import { address } from "../ui/address.js";
import { h } from "../ui/dom.js";

const LABELS = { now: "clockNow", latest: "clockLatest", fixed: "clockFixed" };
const go = (at) => location.assign(address({ at }));

/** Fill the control with the modes that the page offers. */
export function showClock(container, clock, modes) {
  const input = h("input", {
    type: "datetime-local", "aria-label": t("clockAt"), hidden: clock.mode !== "fixed",
    value: clock.mode === "fixed" ? clock.local : null,
    onchange: (event) => event.target.value && go(event.target.value),
  });
  const actions = { now: () => go(null), latest: () => go("latest"), fixed: () => { input.hidden = false; input.focus(); } };
  const option = (mode) => h("option", { value: mode, selected: mode === clock.mode }, t(LABELS[mode]));
  const select = h("select", { onchange: (event) => actions[event.target.value]() }, modes.map(option));
  container.replaceChildren(h("label", { class: "field" }, h("span", {}, t("clock")), select), modes.includes("fixed") ? input : "");
}
