"use strict";

// A line and the values under the pointer, in each chart. Without this script the page shows all the same.
const READABLE = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const LEFT_HALF = 0.55;

for (const chart of document.querySelectorAll(".chart")) {
  const { times, xs, unit, lines } = JSON.parse(chart.dataset.chart);
  const svg = chart.querySelector("svg");
  const cursor = chart.querySelector(".cursor");
  const output = chart.querySelector("output");

  const show = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const place = nearest(xs, x);
    cursor.setAttribute("x1", xs[place]);
    cursor.setAttribute("x2", xs[place]);
    cursor.style.visibility = "visible";
    output.replaceChildren(row(`${READABLE.format(times[place])} s`, unit), ...lines.map((line) => valueRow(line, place)));
    output.hidden = false;
    const share = xs[place] / svg.viewBox.baseVal.width;
    output.style.left = share < LEFT_HALF ? `calc(${share * 100}% + 10px)` : "auto";
    output.style.right = share < LEFT_HALF ? "auto" : `calc(${(1 - share) * 100}% + 10px)`;
  };
  const hide = () => {
    cursor.style.visibility = "hidden";
    output.hidden = true;
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show);
  svg.addEventListener("pointerleave", hide);
}

function nearest(xs, x) {
  return xs.reduce((best, candidate, place) => (Math.abs(candidate - x) < Math.abs(xs[best] - x) ? place : best), 0);
}

function row(name, value) {
  const element = document.createElement("div");
  for (const text of [name, value]) {
    const part = document.createElement("span");
    part.textContent = text;
    element.append(part);
  }
  return element;
}

function valueRow(line, place) {
  const value = line.values[place];
  const element = row(line.name, value === null ? "–" : READABLE.format(value));
  const swatch = document.createElement("span");
  swatch.className = `swatch c${line.colour}`;
  element.firstChild.prepend(swatch);
  return element;
}
