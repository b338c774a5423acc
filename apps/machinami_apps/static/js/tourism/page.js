/** The tourism-flow map: loads people flow, ports and vehicles, follows changes, and shows what came out. */
import { observedAt, pointOf, textOf } from "../api/attributes.js";
import { Changes } from "../api/changes.js";
import { loadEntities, loadSettings } from "../api/entities.js";
import { readClock } from "../clock/clock.js";
import { showClock } from "../clock/control.js";
import { showClockNotices } from "../clock/notices.js";
import { STALE_MINUTES } from "../config/city.js";
import { defineMessages, lang, onLanguage, t } from "../i18n/i18n.js";
import { bySea, loadBasemap } from "../map/basemap.js";
import { createMap } from "../map/city-map.js";
import { address } from "../ui/address.js";
import { byId, throttle } from "../ui/dom.js";
import { time } from "../ui/format.js";
import { showConnection, startHeader } from "../ui/header.js";
import { keepTrying } from "../ui/loading.js";
import { chooseNetwork, providersOf, showNetworks } from "../ui/networks.js";
import { FixedDevices } from "./fixed.js";
import { showHourly } from "./hourly.js";
import { addLayers, showPlaces, showPorts, showVehicles } from "./layers.js";
import { showLegend } from "./legend.js";
import { TOURISM } from "./messages.js";
import { PORT, readPort, readVehicle, VEHICLE } from "./mobility.js";
import { Motion } from "./motion.js";
import { countAll, showPlaceList, showPortList, showTotals } from "./panel.js";
import { gatherPlaces, readReceiver, TYPE as RECEIVER } from "./people.js";

const TYPES = [RECEIVER, PORT, VEHICLE];
/** Detections name devices, if by pseudonym; this page has no use for them. */
const ATTRIBUTES = [
  "name", "dataProvider", "location", "peopleCount", "refPointOfInterest", "speed", "availableBikeNumber", "freeSlotNumber",
].join();
const CLOCK_MODES = ["now", "latest"];
const STALE_MS = STALE_MINUTES * 60_000;
const TICK_MS = 10_000;
const RENDER_MS = 1_000;
const FRAME_MS = 50;

const clock = readClock(location.search, CLOCK_MODES);
const motion = new Motion();
const fixed = new FixedDevices(fixedKnown);

/** What the page knows. Entities as the API gave them; all else is worked out anew for each picture. */
const page = {
  entities: new Map(), landmarks: [], network: new URLSearchParams(location.search).get("network"), selected: null,
  map: null, coast: null, loaded: false, connection: "connecting", lastEventAt: null, drawnAt: 0,
  vehicles: [], places: [], ports: [],
};
const render = throttle(draw, RENDER_MS);

const observed = (entity) => observedAt(entity.location) ?? observedAt(entity.peopleCount) ?? observedAt(entity.availableBikeNumber);
const provider = (entity) => textOf(entity.dataProvider, "ja") ?? "";
const ofType = (entities, type) => entities.filter((entity) => entity.type === type);

/** Everything of the chosen network, as of the clock. */
function survey() {
  const all = [...page.entities.values()];
  const providers = providersOf(all.map((entity) => ({ provider: provider(entity) })));
  page.network = chooseNetwork(providers, page.network);
  const mine = all.filter((entity) => provider(entity) === page.network);
  const latest = mine.reduce((newest, entity) => Math.max(newest ?? -Infinity, observed(entity) ?? -Infinity), null);
  const known = Number.isFinite(latest) ? latest : null;
  const moment = clock.at(known);
  return { providers, latest: known, moment, ...read(mine, moment ?? 0) };
}

function read(entities, now) {
  const landmarks = new Map(page.landmarks.map((one) => [one.id, { name: textOf(one.name, lang()), point: pointOf(one) }]));
  const receivers = ofType(entities, RECEIVER).map((one) => readReceiver(one, lang(), fixed.at(one.id)));
  return {
    places: gatherPlaces(receivers, landmarks, now, STALE_MS),
    ports: ofType(entities, PORT).map((one) => readPort(one, lang(), now, STALE_MS)),
    vehicles: ofType(entities, VEHICLE).map((one) => readVehicle(one, now, STALE_MS)),
  };
}

function draw() {
  if (!page.loaded) return;
  const { providers, latest, moment, places, ports, vehicles } = survey();
  Object.assign(page, { places, ports, vehicles });
  page.selected = places.some(({ id }) => id === page.selected) ? page.selected : (places[0]?.id ?? null);
  const counts = countAll(places, vehicles, ports);
  showNetworks(byId("network"), providers, page.network);
  byId("as-of").textContent = moment === null ? "" : t("asOf", { time: time(moment) });
  byId("empty").hidden = page.entities.size > 0;
  showTotals(counts, { fixedLeftOut: fixed.any });
  showPlaceList(places, page.selected, select);
  showPortList(ports);
  drawHours(moment);
  drawMap();
  showClockNotices(clock, { latest, moment });
  if (moment !== null) fixed.look(moment);
  tell(counts, moment);
}

function drawHours(moment, { force = false } = {}) {
  const place = page.places.find(({ id }) => id === page.selected);
  byId("hourly-box").hidden = place === undefined;
  if (place && moment !== null) showHourly(place, moment, fixed, { force });
}

/** Until fixed devices are known, and where their history cannot be read, devices are shown as heard, and said to be. */
function fixedKnown(error) {
  if (error) return console.warn("fixed devices are not known:", error.message);
  draw();
  drawHours(survey().moment, { force: true });
}

function drawMap() {
  if (!page.map) return;
  showPlaces(page.map, page.places, page.selected);
  showPorts(page.map, page.ports);
  drawVehicles();
}

function seenVehicles() {
  const now = performance.now();
  return page.vehicles.map(({ id, point, state }) => ({ id, state, point: motion.at(id, now) ?? point })).filter(({ point }) => point);
}

const drawVehicles = () => showVehicles(page.map, seenVehicles());

/** While something moves, the vehicles alone are drawn again, twenty times a second. */
function animate(now) {
  if (page.map && now - page.drawnAt >= FRAME_MS && motion.busy(page.drawnAt)) {
    drawVehicles();
    page.drawnAt = now;
  }
  requestAnimationFrame(animate);
}

/** What tests and operators can read in the console: the picture as it is now. */
function tell(counts, moment) {
  window.machinami = {
    page: "tourism", network: page.network, connection: page.connection, counts, clock: clock.mode,
    shownAt: moment, lastEventAt: page.lastEventAt, map: page.map !== null,
    vehicles: () => Object.fromEntries(seenVehicles().map(({ id, point }) => [id, point])),
  };
}

function select(id) {
  page.selected = id;
  draw();
  const place = page.places.find((one) => one.id === id);
  if (place?.point) page.map?.goTo(place.point);
}

function switchNetwork(name) {
  Object.assign(page, { network: name, selected: null });
  history.replaceState(null, "", address({ network: name }));
  draw();
  fit();
}

function fit() {
  const points = [...page.places, ...page.ports, ...page.vehicles].map(({ point }) => point).filter(Boolean);
  page.map?.setSea(bySea(points, page.coast));
  page.map?.fit(points);
}

function remember(entities) {
  const now = performance.now();
  for (const entity of entities) {
    page.entities.set(entity.id, { ...page.entities.get(entity.id), ...entity });
    const point = entity.type === VEHICLE ? pointOf(entity) : null;
    if (point) motion.moveTo(entity.id, point, now);
  }
}

async function load() {
  const lists = await Promise.all(TYPES.map((type) => loadEntities([type], ATTRIBUTES)));
  remember(lists.flat());
  const first = !page.loaded;
  page.loaded = true;
  draw();
  if (first) fit();
}

function receive(entities) {
  remember(entities);
  page.lastEventAt = entities.reduce((newest, entity) => Math.max(newest, observed(entity) ?? 0), page.lastEventAt ?? 0) || null;
  render();
}

function connectionIs(state) {
  page.connection = state;
  showConnection(state);
  render();
}

async function startMap() {
  const [settings, { entities, collection, coast }] = await Promise.all([loadSettings(), loadBasemap()]);
  Object.assign(page, { landmarks: ofType(entities, "PointOfInterest"), coast });
  page.map = await createMap(byId("map"), settings);
  page.map?.setBase(collection);
  if (page.map) addLayers(page.map, select);
  draw();
  fit();
}

function translated() {
  document.title = t("docTitle");
  showClock(byId("clock"), clock, CLOCK_MODES);
  showLegend(byId("legend"));
  draw();
}

function listen() {
  byId("network").addEventListener("change", (event) => switchNetwork(event.target.value));
  byId("legend-box").open = matchMedia("(min-width: 1500px) and (min-height: 800px)").matches;
  setInterval(draw, TICK_MS);
}

defineMessages(TOURISM);
startHeader();
onLanguage(translated);
listen();
new Changes({ types: TYPES, attrs: ATTRIBUTES, onChange: receive, onState: connectionIs, onReturn: () => keepTrying(load) }).open();
keepTrying(load);
keepTrying(startMap);
requestAnimationFrame(animate);
