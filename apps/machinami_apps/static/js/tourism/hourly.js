/** People at one place by hour, as bars for the last 24 hours. An hour without data is hatched, never zero. */
import { history } from "../api/temporal.js";
import { t } from "../i18n/i18n.js";
import { byId, h } from "../ui/dom.js";
import { number, time } from "../ui/format.js";
import { byHour, carried, COUNT } from "./people.js";

const HOUR = 3_600_000;
const REFRESH_MS = 5 * 60_000;
let drawn = "";

/** Load and show a place's hours, without its fixed devices; asked again only for another place, or after five minutes. */
export async function showHourly(place, until, fixed, { force = false } = {}) {
  byId("hourly-place").textContent = place.name;
  const wanted = [place.id, Math.floor(until / REFRESH_MS)].join();
  if (!force && wanted === drawn) return;
  drawn = wanted;
  try {
    const from = Math.floor(until / HOUR) * HOUR - 23 * HOUR;
    const histories = await Promise.all(place.receivers.map((id) => people(id, from, until, fixed.at(id))));
    if (drawn === wanted) draw(byHour(histories, until));
  } catch (error) {
    if (drawn === wanted) byId("hourly").replaceChildren(h("li", { class: "hourly-failed" }, t("historyFailed", { reason: error.message })));
  }
}

const people = async (id, from, until, fixed) =>
  (await history(id, COUNT, from, until)).map(([at, heard]) => [at, carried(heard, fixed)]);

function draw(hours) {
  const most = Math.max(1, ...hours.map(({ mean }) => mean ?? 0));
  byId("hourly").replaceChildren(...hours.map((hour) => column(hour, most)));
}

function column({ start, mean }, most) {
  const hour = time(start, "hour");
  const text = mean === null ? t("hourNone", { hour }) : t("hourBar", { hour, count: number(mean, mean < 10 ? 1 : 0) });
  const height = mean === null ? 100 : (mean / most) * 100;
  return h("li", { title: text, tabindex: "0", "aria-label": text, "data-none": mean === null },
    h("span", { class: "hour-bar", style: `block-size:${height.toFixed(1)}%` }),
    h("span", { class: "hour-name number", "aria-hidden": "true" }, Number(hour.slice(0, 2)) % 3 === 0 ? hour.slice(0, 2) : ""));
}
