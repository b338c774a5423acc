/** Gauges on the map: one image a state, the serious ones on top, names where there is room. */
import { STATES } from "../config/alert-levels.js";
import { BOLD } from "../map/basemap.js";
import { addStateImage } from "../map/marker-images.js";
import { PALETTE } from "../map/palette.js";

const SOURCE = "gauges";
const LAYER = "gauges";
const NAMES_FROM_ZOOM = 12;

const urgent = ["<=", ["get", "rank"], 3];

function layers({ theme }) {
  const colour = PALETTE[theme];
  return [
    {
      id: "gauge-names", type: "symbol", source: SOURCE, minzoom: NAMES_FROM_ZOOM,
      layout: {
        "text-field": ["get", "name"], "text-font": BOLD, "text-size": 11.5, "text-anchor": "left",
        "text-offset": [1.9, 0], "text-max-width": 9, "text-justify": "left", "symbol-sort-key": ["get", "rank"],
      },
      paint: { "text-color": colour.label, "text-halo-color": colour.halo, "text-halo-width": 1.8 },
    },
    {
      id: LAYER, type: "symbol", source: SOURCE,
      layout: {
        "icon-image": ["get", "image"], "icon-allow-overlap": true, "symbol-sort-key": ["-", 0, ["get", "rank"]],
        "icon-size": ["interpolate", ["linear"], ["zoom"], 8, ["case", urgent, 0.75, 0.55], 12, ["case", urgent, 1.05, 0.85]],
      },
    },
    {
      id: "gauge-selected", type: "circle", source: "gauge-selected",
      paint: {
        "circle-radius": 21, "circle-color": "rgba(0,0,0,0)", "circle-stroke-width": 3,
        "circle-stroke-color": theme === "dark" ? "#8fb4ff" : "#0a3fb4",
      },
    },
  ];
}

function images(map) {
  for (const state of STATES) addStateImage(map, state.key, state);
}

const asFeature = ({ id, name, point, state }) => ({
  type: "Feature",
  geometry: { type: "Point", coordinates: point },
  properties: { id, name, rank: state.rank, image: state.key },
});

/** Add the layers; `onPick(id)` when a marker is clicked. */
export function addGaugeLayer(map, onPick) {
  map.addOverlay([SOURCE, "gauge-selected"], layers, images);
  map.onPick(LAYER, ({ id }) => onPick(id));
}

/** Show these gauges (those with a position) and mark the selected one. */
export function showGauges(map, gauges, selectedId) {
  const placed = gauges.filter(({ point }) => point);
  map.setData(SOURCE, placed.map(asFeature));
  map.setData("gauge-selected", placed.filter(({ id }) => id === selectedId).map(asFeature));
}
