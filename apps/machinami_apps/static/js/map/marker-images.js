/** The same markers as images for the map: drawn here, so that no sprite server is needed. */
import { hatching, outline } from "../ui/shapes.js";

const RATIO = 2;
const FONT = "700 14px 'Noto Sans JP', 'Noto Sans CJK JP', 'Hiragino Sans', Meiryo, sans-serif";

/** A canvas context of `size` CSS pixels with the origin in its middle. */
function canvas(size) {
  const context = new OffscreenCanvas(size * RATIO, size * RATIO).getContext("2d");
  context.scale(RATIO, RATIO);
  context.translate(size / 2, size / 2);
  return context;
}

function put(map, name, context) {
  const { width, height } = context.canvas;
  const image = context.getImageData(0, 0, width, height);
  if (map.hasImage(name)) map.updateImage(name, image);
  else map.addImage(name, image, { pixelRatio: RATIO });
}

/** Image `name` of a state of config/alert-levels.js, with a halo that sets it off from the map. */
export function addStateImage(map, name, state) {
  const context = canvas(36);
  const radius = state.small ? 6 : 11.5;
  const path = new Path2D(outline(state.shape, radius));
  stroke(context, path, "#ffffff", 5);
  stroke(context, path, state.line === "#ffffff" ? "#1a1a1c" : "#ffffff", 3.6);
  context.fillStyle = state.fill;
  context.fill(path);
  if (state.hatch) hatch(context, path, radius, state.hatch);
  stroke(context, path, state.line, 1.8, state.dashed ? [3.5, 2.5] : []);
  write(context, state.mark, state.ink);
  put(map, name, context);
}

function stroke(context, path, colour, width, dash = []) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.stroke(path);
}

function hatch(context, path, radius, colour) {
  context.save();
  context.clip(path);
  stroke(context, new Path2D(hatching(radius)), colour, 1.4);
  context.restore();
}

function write(context, text, colour) {
  context.font = FONT;
  context.textAlign = "center";
  context.fillStyle = colour;
  context.fillText(text, 0, 5);
}

/** Image of a bike port: a rounded square with a ring, filled clockwise by the share of docks with a bike. */
export function addPortImage(map, name, share, { fill, ring, track }) {
  const context = canvas(40);
  context.beginPath();
  context.roundRect(-15, -15, 30, 30, 8);
  context.fillStyle = fill;
  context.fill();
  arc(context, 1, track);
  arc(context, share, ring);
  put(map, name, context);
}

function arc(context, share, colour) {
  context.beginPath();
  context.arc(0, 0, 11, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
  context.strokeStyle = colour;
  context.lineWidth = 3;
  context.stroke();
}
