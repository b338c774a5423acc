/** The safety map: loads gauges, follows changes, judges them as of the clock, and shows what came out. */
import { observedAt } from "../api/attributes.js";
import { Changes } from "../api/changes.js";
import { loadEntities, loadSettings } from "../api/entities.js";
import { latestBefore } from "../api/temporal.js";
import { readClock } from "../clock/clock.js";
import { showClock } from "../clock/control.js";
import { showClockNotices } from "../clock/notices.js";
import { SILENT_MINUTES } from "../config/city.js";
import { defineMessages, lang, onLanguage, t } from "../i18n/i18n.js";
import { bySea, loadBasemap } from "../map/basemap.js";
import { createMap } from "../map/city-map.js";
import { address } from "../ui/address.js";
import { byId, throttle } from "../ui/dom.js";
import { time } from "../ui/format.js";
import { showConnection, startHeader } from "../ui/header.js";
import { keepTrying } from "../ui/loading.js";
import { chooseNetwork, providersOf, showNetworks } from "../ui/networks.js";
import { onTheme } from "../ui/theme.js";
import { showCounts, showLegend } from "./counts.js";
import { hideDetail, showDetail } from "./detail.js";
import { addGaugeLayer, showGauges } from "./gauge-layer.js";
import { showList } from "./gauge-list.js";
import { countStates, judge, LEVEL, newest, readGauge, TYPE } from "./gauges.js";
import { SAFETY } from "./messages.js";

const TICK_MS = 10_000;
const RENDER_MS = 400;
const CLOCK_MODES = ["now", "latest", "fixed"];

const asked = new URLSearchParams(location.search);
const clock = readClock(location.search, CLOCK_MODES);
const silentAfter = 60_000 * (Number(asked.get("silent")) > 0 ? Number(asked.get("silent")) : SILENT_MINUTES);

/** What the page knows. Entities as the API gave them; all else is worked out anew for each picture. */
const page = {
  entities: new Map(), network: asked.get("network"), filter: null, search: "", selected: asked.get("gauge"),
  map: null, coast: null, loaded: false, connection: "connecting", lastEventAt: null, gauges: [],
};
const render = throttle(draw, RENDER_MS);

/** Gauges of the chosen network, judged as of the clock; `moment` is null while there is no observation at all. */
function judged() {
  const all = [...page.entities.values()].map((entity) => readGauge(entity, lang()));
  const providers = providersOf(all);
  page.network = chooseNetwork(providers, page.network);
  const mine = all.filter(({ provider }) => provider === page.network);
  const latest = newest(mine);
  const moment = clock.at(latest);
  return { providers, latest, moment, gauges: mine.map((gauge) => judge(gauge, moment ?? 0, silentAfter)) };
}

const matches = ({ name, river }) => `${name} ${river}`.toLowerCase().includes(page.search);
const shown = (gauges) => gauges.filter((gauge) => (page.filter === null || gauge.state.key === page.filter) && matches(gauge));

function draw() {
  if (!page.loaded) return;
  const { providers, latest, moment, gauges } = judged();
  const counts = countStates(gauges);
  page.gauges = gauges;
  showNetworks(byId("network"), providers, page.network);
  showCounts(byId("counts"), counts, page.filter, (key) => { page.filter = key; draw(); });
  byId("as-of").textContent = moment === null ? "" : t("asOf", { time: time(moment) });
  byId("gauge-total").textContent = t("gauges", { count: gauges.length });
  drawList(shown(gauges));
  if (page.map) showGauges(page.map, shown(gauges), page.selected);
  drawDetail(gauges, moment);
  showClockNotices(clock, { latest, moment });
  tell(counts, moment);
}

function drawList(gauges) {
  showList(byId("gauges"), gauges, page.selected, select);
  byId("empty").hidden = page.entities.size > 0;
  byId("no-match").hidden = gauges.length > 0 || page.entities.size === 0;
}

function drawDetail(gauges, moment) {
  const gauge = gauges.find(({ id }) => id === page.selected);
  if (gauge && moment !== null) showDetail(gauge, moment, { onClose: () => select(null) });
  else hideDetail();
}

/** What tests and operators can read in the console: the picture as it is now. */
function tell(counts, moment) {
  window.machinami = {
    page: "safety", network: page.network, connection: page.connection, counts, clock: clock.mode,
    shownAt: moment, lastEventAt: page.lastEventAt, map: page.map !== null,
    gauges: Object.fromEntries(page.gauges.map(({ id, state, value }) => [id, { state: state.key, value }])),
    project: (point) => page.map?.project(point),
  };
}

function select(id) {
  page.selected = id;
  history.replaceState(null, "", address({ gauge: id }));
  draw();
  const gauge = page.gauges.find((one) => one.id === id);
  if (gauge?.point) page.map?.goTo(gauge.point);
}

function switchNetwork(name) {
  Object.assign(page, { network: name, filter: null, selected: null });
  history.replaceState(null, "", address({ network: name, gauge: null }));
  draw();
  fit();
}

function fit() {
  const points = page.gauges.map(({ point }) => point).filter(Boolean);
  page.map?.setSea(bySea(points, page.coast));
  page.map?.fit(points);
}

/** As of a given moment the values come from history; everything else about a gauge is as it is now. */
async function valuesAsOf(entities, moment) {
  const values = await latestBefore(TYPE, LEVEL, moment);
  return entities.map((entity) => {
    const [at, value] = values.get(entity.id) ?? [];
    return { ...entity, [LEVEL]: at === undefined ? null : { value, observedAt: new Date(at).toISOString() } };
  });
}

async function load() {
  const entities = await loadEntities([TYPE]);
  const current = clock.mode === "fixed" ? await valuesAsOf(entities, clock.at()) : entities;
  page.entities = new Map(current.map((entity) => [entity.id, newer(page.entities.get(entity.id), entity)]));
  const first = !page.loaded;
  page.loaded = true;
  draw();
  if (first) fit();
}

/** A change that came while the answer was on its way is not undone by it. */
function newer(held, loaded) {
  const isLater = held && clock.mode !== "fixed" && (observedAt(held[LEVEL]) ?? 0) > (observedAt(loaded[LEVEL]) ?? 0);
  return isLater ? { ...loaded, [LEVEL]: held[LEVEL] } : loaded;
}

function receive(entities) {
  const isNew = entities.some(({ id }) => !page.entities.has(id));
  for (const entity of entities) {
    page.entities.set(entity.id, { ...page.entities.get(entity.id), ...entity });
    page.lastEventAt = Math.max(page.lastEventAt ?? 0, observedAt(entity[LEVEL]) ?? 0) || null;
  }
  render();
  if (isNew && page.entities.size === entities.length) setTimeout(fit, RENDER_MS * 2);
}

function follow() {
  if (clock.mode === "fixed") return connectionIs("recorded");
  new Changes({ types: [TYPE], onChange: receive, onState: connectionIs, onReturn: () => keepTrying(load) }).open();
}

function connectionIs(state) {
  page.connection = state;
  showConnection(state);
  render();
}

async function startMap() {
  const [settings, { collection, coast }] = await Promise.all([loadSettings(), loadBasemap()]);
  page.map = await createMap(byId("map"), settings);
  if (page.map === null) return;
  page.coast = coast;
  page.map.setBase(collection);
  addGaugeLayer(page.map, select);
  draw();
  fit();
}

function translated() {
  document.title = t("docTitle");
  byId("search").placeholder = t("search");
  showClock(byId("clock"), clock, CLOCK_MODES);
  showLegend(byId("legend"));
  draw();
}

function listen() {
  byId("network").addEventListener("change", (event) => switchNetwork(event.target.value));
  byId("search").addEventListener("input", (event) => { page.search = event.target.value.trim().toLowerCase(); draw(); });
  byId("legend-box").open = matchMedia("(min-width: 1500px) and (min-height: 800px)").matches;
  addEventListener("keydown", (event) => event.key === "Escape" && page.selected && select(null));
  onTheme(() => { hideDetail(); draw(); });
  setInterval(draw, TICK_MS);
}

defineMessages(SAFETY);
startHeader();
onLanguage(translated);
listen();
follow();
keepTrying(load);
keepTrying(startMap);
