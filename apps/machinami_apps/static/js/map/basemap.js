/** The base map: the city's own geometry as the API gives it. No tiles, no glyphs from anywhere. */
import { textOf, valueOf } from "../api/attributes.js";
import { loadEntities } from "../api/entities.js";
import { PALETTE } from "./palette.js";

const TYPES = ["District", "River", "Road", "PaddyBlock", "Coast", "PointOfInterest"];

/** MapLibre draws all text with the machine's own fonts where a style names no glyph server; the weight comes first. */
export const FONTS = ["medium", "Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic UI", "Meiryo"];
export const BOLD = ["bold", ...FONTS.slice(1)];

const asFeature = (entity) => ({
  type: "Feature",
  geometry: valueOf(entity.location),
  properties: { kind: entity.type, ja: textOf(entity.name, "ja") ?? "", en: textOf(entity.name, "en") ?? "" },
});

/** Entities of the base map and the GeoJSON to draw them. */
export async function loadBasemap() {
  const entities = (await loadEntities(TYPES)).filter((entity) => valueOf(entity.location)?.coordinates);
  return { entities, collection: { type: "FeatureCollection", features: entities.map(asFeature) }, coast: coastBox(entities) };
}

/** `[west, south, east, north]` of the coast, or null for a city without one. */
function coastBox(entities) {
  const points = entities
    .filter((entity) => entity.type === "Coast")
    .flatMap((entity) => pairs(valueOf(entity.location).coordinates));
  if (points.length === 0) return null;
  const [longitudes, latitudes] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return [Math.min(...longitudes), Math.min(...latitudes), Math.max(...longitudes), Math.max(...latitudes)];
}

const pairs = (coordinates) => (typeof coordinates[0] === "number" ? [coordinates] : coordinates.flatMap(pairs));

/** Whether most of the points lie within the coast's box: then what surrounds them is sea, else unknown ground. */
export function bySea(points, coast) {
  if (coast === null) return false;
  const [west, south, east, north] = coast;
  const within = points.filter(([x, y]) => x >= west && x <= east && y >= south && y <= north);
  return within.length * 2 > points.length;
}

const kind = (...kinds) => ["in", ["get", "kind"], ["literal", kinds]];
const isArea = ["in", ["geometry-type"], ["literal", ["Polygon", "MultiPolygon"]]];
const widths = (narrow, wide) => ["interpolate", ["exponential", 1.6], ["zoom"], 10, narrow, 16, wide];

const layer = (id, type, filter, paint, layout = {}) => ({ id: `base-${id}`, source: "base", type, filter, paint, layout });
const area = (id, kinds, paint) => layer(id, "fill", ["all", kind(...kinds), isArea], paint);
const line = (id, kinds, colour, narrow, wide, paint = {}) =>
  layer(id, "line", kind(...kinds), { "line-color": colour, "line-width": widths(narrow, wide), ...paint },
    { "line-cap": "round", "line-join": "round" });

/** Layers for a palette; over raster tiles areas are drawn transparent. */
function shapes(colour, opacity) {
  return [
    area("land", ["Coast", "District"], { "fill-color": colour.district, "fill-opacity": opacity }),
    area("paddy", ["PaddyBlock"], {
      "fill-color": colour.paddy, "fill-outline-color": colour.paddyLine, "fill-opacity": opacity,
    }),
    line("border", ["District"], colour.border, 0.6, 1.6, { "line-dasharray": [3, 2] }),
    area("river-area", ["River"], { "fill-color": colour.river, "fill-opacity": opacity }),
    line("river", ["River"], colour.river, 2, 22),
    line("shore", ["Coast"], colour.river, 1, 3),
    line("road-edge", ["Road"], colour.roadLine, 1.6, 15),
    line("road", ["Road"], colour.road, 0.9, 12),
  ];
}

function text(id, kinds, colour, language, layout, paint = {}) {
  return layer(`label-${id}`, "symbol", kind(...kinds),
    { "text-color": colour.label, "text-halo-color": colour.halo, "text-halo-width": 1.6, ...paint },
    { "text-field": ["get", language], "text-font": FONTS, "text-size": 12, "text-max-width": 8, ...layout });
}

function labels(colour, language) {
  const water = { "text-color": colour.waterLabel };
  const along = { "symbol-placement": "line", "symbol-spacing": 420, "text-letter-spacing": 0.12 };
  return [
    text("place", ["PointOfInterest"], colour, language, {
      "text-size": 11, "text-variable-anchor": ["top", "left", "right", "bottom"], "text-radial-offset": 1, "text-justify": "auto",
    }),
    text("river", ["River"], colour, language, along, water),
    text("district", ["District"], colour, language, { "text-size": 14, "text-letter-spacing": 0.14, "text-font": BOLD }),
  ];
}

/** Base layers, bottom first, in a theme and a language. */
export function basemapLayers({ theme, language, overTiles, sea }) {
  const colour = PALETTE[theme];
  return [
    { id: "base-ground", type: "background", metadata: { under: "tiles" }, paint: { "background-color": sea ? colour.sea : colour.ground } },
    ...shapes(colour, overTiles ? 0.25 : 1),
    ...labels(colour, language),
  ];
}
