/** Vehicles and bike ports. Plain data in, plain data out. */
import { numberOf, observedAt, pointOf, textOf } from "../api/attributes.js";
import { MOVING_KMH } from "../config/city.js";

export const VEHICLE = "Vehicle";
export const PORT = "BikeHireDockingStation";

/** A Vehicle; its state is "moving", "resting" or "stale" (no position for `staleAfter` milliseconds). */
export function readVehicle(entity, now, staleAfter) {
  const at = observedAt(entity.location);
  const stale = at === null || Math.abs(now - at) > staleAfter;
  const moving = (numberOf(entity.speed) ?? 0) > MOVING_KMH;
  return {
    id: entity.id,
    provider: textOf(entity.dataProvider, "ja") ?? "",
    point: pointOf(entity),
    observedAt: at,
    state: stale ? "stale" : moving ? "moving" : "resting",
  };
}

/** A BikeHireDockingStation; counts are null when unknown or older than `staleAfter`, which is not zero. */
export function readPort(entity, language, now, staleAfter) {
  const at = observedAt(entity.availableBikeNumber);
  const fresh = at !== null && Math.abs(now - at) <= staleAfter;
  return {
    id: entity.id,
    name: textOf(entity.name, language) ?? entity.id,
    provider: textOf(entity.dataProvider, language) ?? "",
    point: pointOf(entity),
    observedAt: at,
    available: fresh ? numberOf(entity.availableBikeNumber) : null,
    free: fresh ? numberOf(entity.freeSlotNumber) : null,
  };
}

/** Share of the docks that hold a bike, 0 to 1, or null. */
export function shareFilled({ available, free }) {
  return available === null || free === null || available + free === 0 ? null : available / (available + free);
}

/** Sum of what is known, or null when nothing is. */
export function total(things, name) {
  const known = things.map((thing) => thing[name]).filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) : null;
}
