/** People, ports and vehicles on the map. */
import { BOLD } from "../map/basemap.js";
import { addPortImage } from "../map/marker-images.js";
import { token } from "../ui/theme.js";
import { shareFilled } from "./mobility.js";

const SOURCES = ["people", "people-selected", "ports", "vehicles"];
const SHARES = 12;

const growing = (factor) => ["interpolate", ["linear"], ["zoom"], 10, 0.6 * factor, 14, 1.3 * factor];
/** The area of a circle grows in proportion to its count; `more` pixels around it. */
const radius = (more = 0) => {
  const size = ["+", 5 + more, ["*", 1.7, ["sqrt", ["get", "count"]]]];
  return ["interpolate", ["linear"], ["zoom"], 10, ["*", 0.45, size], 12.5, size, 15, ["*", 1.5, size]];
};
const byState = (moving, resting, stale) => ["match", ["get", "state"], "moving", moving, "resting", resting, stale];
const text = (field, extra) => ({ "text-field": field, "text-font": BOLD, "text-size": 11, "text-allow-overlap": true, "text-ignore-placement": true, ...extra });

const people = () => [
  {
    id: "people", type: "circle", source: "people", metadata: { under: "base-label-place" },
    paint: {
      "circle-radius": radius(), "circle-color": token("--people"), "circle-opacity": 0.28,
      "circle-stroke-color": token("--people"), "circle-stroke-width": 1.5,
    },
  },
  {
    id: "people-selected", type: "circle", source: "people-selected",
    paint: {
      "circle-radius": radius(5), "circle-color": "rgba(0,0,0,0)",
      "circle-stroke-color": token("--accent"), "circle-stroke-width": 3,
    },
  },
];

/** The number stands above the middle, where a port may be. */
const counts = () => [
  {
    id: "people-count", type: "symbol", source: "people",
    layout: text(["get", "label"], { "text-size": 12.5, "text-anchor": "bottom", "text-offset": [0, -0.75] }),
    paint: { "text-color": token("--ink"), "text-halo-color": token("--paper"), "text-halo-width": 1.6 },
  },
];

const ports = () => [
  {
    id: "ports", type: "symbol", source: "ports",
    layout: {
      "icon-image": ["get", "image"], "icon-allow-overlap": true, "icon-size": growing(0.66),
      ...text(["get", "label"], { "text-size": growing(10) }),
    },
    paint: { "text-color": token("--ink") },
  },
];

const isMoving = ["==", ["get", "state"], "moving"];

const vehicles = (id, filter) => [
  {
    id, type: "circle", source: "vehicles", filter,
    paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 10.5, byState(2.6, 2, 1.8), 13, byState(5.5, 3.8, 3.2)],
      "circle-color": byState(token("--bike"), token("--paper"), token("--sunken")),
      "circle-stroke-color": byState(token("--paper"), token("--bike"), token("--line-strong")),
      "circle-stroke-width": byState(1.6, 1.8, 1.2),
    },
  },
];

/** Resting bikes stand at ports and places: they lie under what tells of those, moving ones over it. */
const layers = () =>
  [...people(), ...vehicles("resting", ["!", isMoving]), ...ports(), ...counts(), ...vehicles("moving", isMoving)];

function images(map) {
  const look = { fill: token("--paper"), ring: token("--accent"), track: token("--line") };
  for (let n = 0; n <= SHARES; n += 1) addPortImage(map, `port-${n}`, n / SHARES, look);
  addPortImage(map, "port-unknown", 0, { ...look, fill: token("--sunken") });
}

const feature = (point, properties) => ({ type: "Feature", geometry: { type: "Point", coordinates: point }, properties });

export function addLayers(map, onPickPlace) {
  map.addOverlay(SOURCES, layers, images);
  map.onPick("people", ({ id }) => onPickPlace(id));
}

/** Places with a position; one that is silent is a small circle with a question mark. */
export function showPlaces(map, places, selectedId) {
  const features = places.filter(({ point }) => point)
    .map(({ id, point, count }) => feature(point, { id, count: count ?? 0, label: count === null ? "?" : String(count) }));
  map.setData("people", features);
  map.setData("people-selected", features.filter(({ properties }) => properties.id === selectedId));
}

function portFeature(port) {
  const share = shareFilled(port);
  const image = share === null ? "port-unknown" : `port-${Math.round(share * SHARES)}`;
  return feature(port.point, { image, label: port.available === null ? "?" : String(port.available) });
}

export const showPorts = (map, list) => map.setData("ports", list.filter(({ point }) => point).map(portFeature));

/** `list`: `[{point, state}]`, points as they are seen in mid-motion. */
export const showVehicles = (map, list) => map.setData("vehicles", list.map(({ point, state }) => feature(point, { state })));
