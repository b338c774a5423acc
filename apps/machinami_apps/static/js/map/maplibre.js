/** The one place that names the vendored MapLibre GL JS (a script that sets a global, not a module). */
import "../../vendor/maplibre-gl-5.24.1/maplibre-gl.js";

export const { maplibregl } = globalThis;
