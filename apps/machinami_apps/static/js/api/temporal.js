/** History: `/ngsi-ld/v1/temporal/entities` in the temporalValues representation (clauses 6.18, 6.19, 4.5.9). */
import { ApiError, getJson } from "./client.js";

const BASE = "/ngsi-ld/v1/temporal/entities";
const PAGE = 1000;
const MOST_PARTS = 50;
const HOURS_PAGE = 400; // entities: with 24 hours each they stay below the instances of one answer (6.3.10)

const iso = (milliseconds) => new Date(milliseconds).toISOString();

/** `[[milliseconds, value], …]` of one attribute in a temporal entity, oldest first. */
function valuesOf(entity, name) {
  const attributes = [entity?.[name] ?? []].flat();
  const pairs = attributes.flatMap((attribute) => attribute.values ?? []);
  return pairs.map(([value, at]) => [Date.parse(at), value]).sort(([a], [b]) => a - b);
}

/** History of one attribute of one entity between two moments (milliseconds), oldest first. */
export async function history(id, name, from, until) {
  const found = [];
  for (let part = 0, start = from; part < MOST_PARTS; part += 1) {
    const { status, values } = await onePart(id, name, start, until);
    found.push(...values);
    // 206 (6.3.10): the oldest part only; the rest lies after its newest value.
    if (status !== 206 || values.length === 0) break;
    start = values.at(-1)[0] + 1;
  }
  return found;
}

/** The end of `between` is not part of it (4.11), hence the millisecond. */
async function onePart(id, name, from, until) {
  const params = { attrs: name, timerel: "between", timeAt: iso(from), endTimeAt: iso(until + 1), options: "temporalValues" };
  try {
    const { body, status } = await getJson(`${BASE}/${encodeURIComponent(id)}`, params);
    return { status, values: valuesOf(body, name) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { status: 404, values: [] };
    throw error;
  }
}

/** Newest value at or before a moment, for every entity of a type: `Map(id → [milliseconds, value])`. */
export async function latestBefore(type, name, moment) {
  const found = new Map();
  for (let offset = 0, more = true; more; offset += PAGE) {
    const { body } = await getJson(BASE, {
      type, attrs: name, timerel: "before", timeAt: iso(moment + 1), lastN: 1,
      options: "temporalValues", limit: PAGE, offset,
    });
    for (const entity of body) {
      const newest = valuesOf(entity, name).at(-1);
      if (newest) found.set(entity.id, newest);
    }
    more = body.length === PAGE;
  }
  return found;
}

/** Lowest value of each hour between two moments, for every entity of a type: `Map(id → [value, …])`, known hours only (4.5.19). */
export async function lowestByHour(type, name, from, until) {
  const found = new Map();
  for (let offset = 0, more = true; more; offset += HOURS_PAGE) {
    const { body } = await getJson(BASE, {
      type, attrs: name, timerel: "between", timeAt: iso(from), endTimeAt: iso(until), format: "aggregatedValues",
      aggrMethods: "min", aggrPeriodDuration: "PT1H", limit: HOURS_PAGE, offset,
    });
    for (const entity of body) {
      const hours = [entity[name] ?? []].flat().flatMap((attribute) => attribute.min ?? []);
      found.set(entity.id, hours.map(([value]) => value).filter((value) => typeof value === "number"));
    }
    more = body.length === HOURS_PAGE;
  }
  return found;
}
