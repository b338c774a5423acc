/** What the marks on the map mean. */
import { STALE_MINUTES } from "../config/city.js";
import { t } from "../i18n/i18n.js";
import { h, svg } from "../ui/dom.js";

const mark = (...shapes) => svg("svg", { viewBox: "-12 -12 24 24", width: 24, height: 24, "aria-hidden": "true" }, ...shapes);
const dot = (kind, r) => mark(svg("circle", { r, class: `mark-${kind}` }));
const port = () =>
  mark(svg("rect", { x: -10, y: -10, width: 20, height: 20, rx: 5, class: "mark-port" }), svg("path", { d: "M0-7A7 7 0 1 1-7 0", class: "mark-ring" }));

export function showLegend(list) {
  const rows = [
    [dot("people", 10), t("legendPeople")],
    [port(), t("legendPort")],
    [dot("moving", 6), t("legendMoving")],
    [dot("resting", 4.5), t("legendResting")],
    [dot("stale", 4), t("legendStale", { minutes: STALE_MINUTES })],
  ];
  list.replaceChildren(...rows.map(([picture, text]) => h("li", {}, picture, h("span", {}, text))));
}
