/** The one place that names the vendored uPlot. */
export { default as uPlot } from "../../vendor/uplot-1.6.32/uPlot.esm.js";
