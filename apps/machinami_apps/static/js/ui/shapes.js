/** Marker outlines as SVG paths, so that map images, badges and legends are the same drawing. */

const corners = (count, turn) =>
  Array.from({ length: count }, (_, n) => 2 * Math.PI * (n / count) + turn);

function polygon(count, turn, radius) {
  const points = corners(count, turn).map((angle) => [radius * Math.sin(angle), -radius * Math.cos(angle)]);
  return `M${points.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join("L")}Z`;
}

const circle = (radius) => `M${-radius} 0A${radius} ${radius} 0 1 0 ${radius} 0A${radius} ${radius} 0 1 0 ${-radius} 0Z`;

/** Radii are set so that all shapes look equally large. */
const SHAPES = {
  circle,
  square: (radius) => polygon(4, Math.PI / 4, radius * 1.22),
  diamond: (radius) => polygon(4, 0, radius * 1.3),
  hexagon: (radius) => polygon(6, 0, radius * 1.14),
  octagon: (radius) => polygon(8, Math.PI / 8, radius * 1.1),
};

/** Path of a shape around the origin. */
export const outline = (shape, radius) => SHAPES[shape](radius);

/** Path of diagonal strokes that cover a shape; to be clipped to its outline. */
export function hatching(radius) {
  const strokes = [];
  for (let offset = -2 * radius; offset <= 2 * radius; offset += radius / 2.2) {
    strokes.push(`M${offset - radius} ${radius}L${offset + radius} ${-radius}`);
  }
  return strokes.join("");
}
