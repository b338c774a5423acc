/** A MapLibre map of the city: base map, data layers on top, theme and language changes without a new style. */
import { lang, onLanguage, t } from "../i18n/i18n.js";
import { onTheme, theme } from "../ui/theme.js";
import { basemapLayers } from "./basemap.js";
import { maplibregl } from "./maplibre.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const FIT = { padding: 56, maxZoom: 14.5, duration: 0 };

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class CityMap {
  #map;
  #overlays = [];
  #redrawings = [];
  sea = false;

  /** Throws where the browser has no WebGL. */
  constructor(container, { tileUrl = "", tileAttribution = "" } = {}) {
    this.overTiles = Boolean(tileUrl);
    this.#map = new maplibregl.Map({
      container,
      style: emptyStyle(tileUrl, tileAttribution),
      center: [138, 36.5], zoom: 5,
      attributionControl: { compact: true },
      dragRotate: false, pitchWithRotate: false, fadeDuration: 0,
      locale: { "NavigationControl.ZoomIn": t("zoomIn"), "NavigationControl.ZoomOut": t("zoomOut"), "Map.Title": t("map") },
    });
    this.#map.touchZoomRotate.disableRotation();
    this.#map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    this.#map.addControl(new maplibregl.ScaleControl({ unit: "metric" }), "bottom-left");
    this.ready = new Promise((resolve) => { this.#map.once("load", () => resolve(this)); });
    this.ready.then(() => this.#follow());
  }

  #follow() {
    onLanguage(() => this.#draw());
    onTheme(() => this.#draw());
  }

  #draw() {
    const view = { theme: theme(), language: lang(), overTiles: this.overTiles, sea: this.sea };
    for (const redraw of this.#redrawings) redraw(this.#map, view.theme);
    const layers = [...basemapLayers(view), ...this.#overlays.flatMap((overlay) => overlay(view))];
    for (const one of layers) applyLayer(this.#map, one);
  }

  /** `overlay({theme, language})` gives layers; `images(map, theme)` draws the images they name. */
  addOverlay(sourceIds, overlay, images = () => {}) {
    for (const id of sourceIds) this.#map.addSource(id, { type: "geojson", data: EMPTY });
    this.#overlays.push(overlay);
    this.#redrawings.push(images);
    this.#draw();
  }

  setData(sourceId, features) {
    this.#map.getSource(sourceId)?.setData({ type: "FeatureCollection", features });
  }

  setBase(collection) {
    this.#map.getSource("base").setData(collection);
  }

  /** Whether the ground outside the base map's areas is sea. */
  setSea(sea) {
    this.sea = sea;
    this.#draw();
  }

  /** Show all the points `[longitude, latitude]`. */
  fit(points) {
    if (points.length === 0) return;
    const bounds = new maplibregl.LngLatBounds(points[0], points[0]);
    for (const point of points) bounds.extend(point);
    this.#map.fitBounds(bounds, FIT);
  }

  goTo(point) {
    this.#map.resize();
    this.#map.easeTo({ center: point, zoom: Math.max(this.#map.getZoom(), 12.5), duration: still() ? 0 : 600 });
  }

  /** Call `listener(properties)` when a feature of the layer is clicked. */
  onPick(layerId, listener) {
    const pointer = (shape) => () => { this.#map.getCanvas().style.cursor = shape; };
    this.#map.on("click", layerId, (event) => listener(event.features[0].properties));
    this.#map.on("mouseenter", layerId, pointer("pointer"));
    this.#map.on("mouseleave", layerId, pointer(""));
  }

  /** Where a point is on the screen, in CSS pixels of the map. */
  project(point) {
    return this.#map.project(point);
  }
}

function emptyStyle(tileUrl, attribution) {
  const tiles = tileUrl && { type: "raster", tiles: [tileUrl], tileSize: 256, attribution };
  return {
    version: 8,
    sources: { base: { type: "geojson", data: EMPTY }, ...(tiles && { tiles }) },
    layers: tiles ? [{ id: "tiles", type: "raster", source: "tiles" }] : [],
  };
}

/** Add a layer, under another where its metadata say so, or bring an existing one up to date. */
function applyLayer(map, one) {
  if (!map.getLayer(one.id)) {
    map.addLayer(one, map.getLayer(one.metadata?.under) ? one.metadata.under : undefined);
    return;
  }
  for (const [name, value] of Object.entries(one.paint ?? {})) map.setPaintProperty(one.id, name, value);
  for (const [name, value] of Object.entries(one.layout ?? {})) map.setLayoutProperty(one.id, name, value);
}

/** A map in `container`, or null with a message in its place where WebGL is missing. */
export async function createMap(container, settings) {
  try {
    return await new CityMap(container, settings).ready;
  } catch (error) {
    console.warn("no map:", error.message);
    container.replaceChildren(Object.assign(document.createElement("p"), { className: "map-missing", textContent: t("noWebgl") }));
    return null;
  }
}
