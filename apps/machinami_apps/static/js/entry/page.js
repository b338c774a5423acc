/** The entry page: what this is, what it holds now, and the ways on. */
import { Changes } from "../api/changes.js";
import { serverNow } from "../api/client.js";
import { countEntities, loadTypes } from "../api/entities.js";
import { countQuarantine } from "../api/quarantine.js";
import { defineMessages, lang, onLanguage, pick, t } from "../i18n/i18n.js";
import { byId, h, throttle } from "../ui/dom.js";
import { number, time } from "../ui/format.js";
import { showConnection, startHeader } from "../ui/header.js";
import { keepTrying } from "../ui/loading.js";
import { ENTRY, TYPE_NAMES } from "./messages.js";

const REFRESH_MS = 15_000;
const MINUTE = 60_000;
/** Minutes before a rate means anything. */
const SETTLED = 0.05;

const page = { counts: null, quarantine: null, connection: "connecting", changes: 0, since: performance.now(), lastEventAt: null };
const render = throttle(draw, 500);

const typeName = (type) => (TYPE_NAMES[type] ? pick(TYPE_NAMES[type]) : type);
const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);

/** Changes in a minute, once there is a little to go by. */
function rate() {
  const minutes = (performance.now() - page.since) / MINUTE;
  return minutes < SETTLED ? null : page.changes / minutes;
}

const known = (value) => (value === null ? "–" : number(value));

const figure = (name, text, note) =>
  h("div", { class: "figure", "data-figure": name },
    h("dt", {}, t(name)), h("dd", { class: "number" }, text), h("dd", { class: "figure-note" }, note));

function drawFigures() {
  const { count, more } = page.quarantine ?? { count: null, more: false };
  const perMinute = rate();
  byId("figures").replaceChildren(
    figure("entities", known(page.counts && sum(page.counts)), t("entitiesNote")),
    figure("rate", known(perMinute), t("rateNote")),
    figure("lastChange", page.lastEventAt === null ? "–" : time(page.lastEventAt, "clock"), t("lastChangeNote")),
    figure("quarantined", known(count) + (more ? "+" : ""), t(count === 0 ? "quarantinedNone" : "quarantinedNote")));
}

function drawTypes() {
  if (page.counts === null) return;
  const sorted = Object.entries(page.counts).sort(([a, m], [b, n]) => n - m || a.localeCompare(b));
  byId("types").replaceChildren(...sorted.map(([type, count]) =>
    h("li", {}, h("a", { href: `/ngsi-ld/v1/entities?type=${encodeURIComponent(type)}&options=keyValues&limit=20`, "data-type": type },
      h("span", {}, typeName(type), h("small", {}, type)), h("strong", { class: "number" }, number(count))))));
  byId("empty").hidden = sorted.length > 0;
  byId("fictional").hidden = !("District" in page.counts);
}

function draw() {
  document.title = t("docTitle");
  drawFigures();
  drawTypes();
  window.machinami = {
    page: "entry", connection: page.connection, counts: page.counts ?? {}, changes: page.changes, lastEventAt: page.lastEventAt,
    language: lang(),
  };
}

/** Counts are asked for one after the other: they are cheap, and the city has other things to do. */
async function loadCounts() {
  const counts = {};
  for (const type of await loadTypes()) counts[type] = await countEntities(type);
  page.counts = counts;
  draw();
}

async function loadQuarantine() {
  page.quarantine = await countQuarantine();
  draw();
}

function receive(entities) {
  page.changes += entities.length;
  page.lastEventAt = serverNow();
  render();
}

function connectionIs(state) {
  page.connection = state;
  showConnection(state);
  render();
}

defineMessages(ENTRY);
startHeader();
onLanguage(draw);
new Changes({ onChange: receive, onState: connectionIs, onReturn: () => keepTrying(loadCounts) }).open();
for (const work of [loadCounts, loadQuarantine]) {
  keepTrying(work);
  setInterval(() => keepTrying(work), REFRESH_MS);
}
