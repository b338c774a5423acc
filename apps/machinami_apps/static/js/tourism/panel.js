/** The panel: totals, places, ports. */
import { t } from "../i18n/i18n.js";
import { byId, h } from "../ui/dom.js";
import { number } from "../ui/format.js";
import { shareFilled, total } from "./mobility.js";

const known = (value) => (value === null ? "–" : number(value));

const figure = (name, key, value, note) =>
  h("div", { class: "figure", "data-figure": name },
    h("dt", {}, t(key)), h("dd", { class: "number" }, known(value)), h("dd", { class: "figure-note" }, note));

/** The three figures on top. `counts` is what `countAll` gave. */
export function showTotals(counts, { fixedLeftOut }) {
  byId("totals").replaceChildren(
    figure("people", "people", counts.people, t(fixedLeftOut ? "carriedUnit" : "peopleUnit")),
    figure("moving", "moving", counts.moving, t("movingOf", { count: number(counts.vehicles) })),
    figure("available", "available", counts.available, t("availableFree", { count: known(counts.free) })));
}

export function countAll(places, vehicles, ports) {
  return {
    people: total(places, "count"),
    vehicles: vehicles.length,
    moving: vehicles.filter(({ state }) => state === "moving").length,
    stale: vehicles.filter(({ state }) => state === "stale").length,
    available: total(ports, "available"),
    free: total(ports, "free"),
  };
}

const bar = (share, kind) =>
  h("span", { class: "bar", "data-kind": kind, "aria-hidden": "true" }, h("span", { style: `inline-size:${(share * 100).toFixed(1)}%` }));

function placeRow(place, most, selected, onPick) {
  const fresh = t("reporting", { fresh: place.reporting, all: place.receivers.length });
  const note = place.point ? fresh : `${fresh} · ${t("noPosition")}`;
  const count = place.count === null ? t("noReport") : number(place.count);
  return h("li", {},
    h("button", { type: "button", class: "row", "data-id": place.id, "data-silent": place.count === null, "aria-current": String(selected), onclick: () => onPick(place.id) },
      h("span", { class: "row-name" }, place.name, h("small", {}, note)),
      h("span", { class: "row-value number" }, count),
      bar((place.count ?? 0) / Math.max(most, 1), "people")));
}

export function showPlaceList(places, selectedId, onPick) {
  const most = Math.max(0, ...places.map(({ count }) => count ?? 0));
  const focused = document.activeElement?.dataset.id;
  byId("places").replaceChildren(...places.map((place) => placeRow(place, most, place.id === selectedId, onPick)));
  if (focused) byId("places").querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  byId("no-places").hidden = places.length > 0;
}

function portRow(port) {
  const text = port.available === null ? t("portUnknown") : t("portText", { available: port.available, free: known(port.free) });
  return h("li", { class: "row", "data-silent": port.available === null },
    h("span", { class: "row-name" }, port.name, port.point ? null : h("small", {}, t("noPosition"))),
    h("span", { class: "row-text number" }, text),
    bar(shareFilled(port) ?? 0, "port"));
}

export function showPortList(ports) {
  const sorted = [...ports].sort((a, b) => a.name.localeCompare(b.name, "ja", { numeric: true }));
  byId("ports").replaceChildren(...sorted.map(portRow));
  byId("no-ports").hidden = ports.length > 0;
}
