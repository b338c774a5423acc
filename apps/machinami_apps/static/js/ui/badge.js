/** A state's marker as inline SVG, for lists and legends. */
import { svg } from "./dom.js";
import { hatching, outline } from "./shapes.js";

let clips = 0;

/** `state` is a row of config/alert-levels.js; the text beside it says the same, so it is hidden from readers. */
export function badge(state, size = 28) {
  const radius = state.small ? 6 : 10;
  const path = outline(state.shape, radius);
  return svg("svg", { class: "badge", viewBox: "-14 -14 28 28", width: size, height: size, "aria-hidden": "true" },
    svg("path", { d: path, fill: state.fill }),
    state.hatch && hatched(state, path, radius),
    svg("path", { d: path, fill: "none", class: "badge-halo", "stroke-width": 4 }),
    svg("path", {
      d: path, fill: "none", stroke: state.line, "stroke-width": 1.6,
      "stroke-dasharray": state.dashed ? "3 2.4" : null,
    }),
    state.mark && svg("text", { y: 4.4, "text-anchor": "middle", fill: state.ink }, state.mark));
}

function hatched(state, path, radius) {
  const id = `badge-clip-${(clips += 1)}`;
  return svg("g", {},
    svg("clipPath", { id }, svg("path", { d: path })),
    svg("path", { d: hatching(radius), stroke: state.hatch, "stroke-width": 1.2, "clip-path": `url(#${id})` }));
}
