/** Receivers of people flow, gathered into places. Plain data in, plain data out. */
import { numberOf, observedAt, pointOf, textOf, valueOf } from "../api/attributes.js";

export const TYPE = "CrowdFlowObserved";
export const COUNT = "peopleCount";
const HOUR = 3_600_000;

/** Devices that people carry, of those heard. */
export const carried = (heard, fixed) => (heard === null ? null : Math.max(heard - fixed, 0));

/** A CrowdFlowObserved entity as the page knows it; `fixed` of the devices heard belong to nobody who came. */
export function readReceiver(entity, language, fixed = 0) {
  return {
    id: entity.id,
    name: textOf(entity.name, language) ?? entity.id,
    provider: textOf(entity.dataProvider, language) ?? "",
    placeId: valueOf(entity.refPointOfInterest),
    point: pointOf(entity),
    count: carried(numberOf(entity[COUNT]), fixed),
    observedAt: observedAt(entity[COUNT]),
  };
}

/** Receivers of one place share its reference, else their position (about 100 m), else stand alone. */
const keyOf = ({ id, placeId, point }) => placeId ?? point?.map((degrees) => degrees.toFixed(3)).join() ?? id;

/** Places with the sum over receivers heard of lately; `count` is null when none was. `landmarks`: id → `{name, point}`. */
export function gatherPlaces(receivers, landmarks, now, staleAfter) {
  const groups = Map.groupBy?.(receivers, keyOf) ?? groupBy(receivers, keyOf);
  const places = [...groups].map(([key, members]) => {
    const fresh = members.filter((one) => one.count !== null && Math.abs(now - one.observedAt) <= staleAfter);
    return {
      id: key,
      name: landmarks.get(key)?.name ?? members[0].name,
      point: landmarks.get(key)?.point ?? middle(members.map(({ point }) => point).filter(Boolean)),
      receivers: members.map(({ id }) => id),
      reporting: fresh.length,
      count: fresh.length ? fresh.reduce((sum, { count }) => sum + count, 0) : null,
    };
  });
  return places.sort((a, b) => (b.count ?? -1) - (a.count ?? -1) || a.name.localeCompare(b.name, "ja"));
}

function groupBy(things, key) {
  const groups = new Map();
  for (const thing of things) groups.set(key(thing), [...(groups.get(key(thing)) ?? []), thing]);
  return groups;
}

function middle(points) {
  if (points.length === 0) return null;
  return [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

/**
 * Mean by hour for the 24 hours that end with the one of `until`: `[{start, mean}]`, `mean` null where nothing was
 * observed. Receivers are averaged one by one and then added up, so that one which reports more often weighs no more.
 * `histories`: for each receiver `[[milliseconds, count], …]`.
 */
export function byHour(histories, until) {
  const last = Math.floor(until / HOUR) * HOUR;
  return Array.from({ length: 24 }, (_, n) => {
    const start = last - (23 - n) * HOUR;
    const means = histories.map((pairs) => meanWithin(pairs, start, start + HOUR)).filter((mean) => mean !== null);
    return { start, mean: means.length ? means.reduce((sum, mean) => sum + mean, 0) : null };
  });
}

function meanWithin(pairs, start, end) {
  const counts = pairs.filter(([at, count]) => at >= start && at < end && typeof count === "number").map(([, count]) => count);
  return counts.length ? counts.reduce((sum, count) => sum + count, 0) / counts.length : null;
}
