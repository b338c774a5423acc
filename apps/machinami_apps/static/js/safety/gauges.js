/** What a gauge is, and how its state is judged. No page in here: plain data in, plain data out. */
import { numberOf, observedAt, pointOf, textOf } from "../api/attributes.js";
import { JUDGED_LEVELS, STATE, STATES } from "../config/alert-levels.js";

export const TYPE = "FloodMonitoring";
export const LEVEL = "currentLevel";

/** A FloodMonitoring entity as the page knows it; levels in metres, `observedAt` in milliseconds, null for what is missing. */
export function readGauge(entity, language) {
  return {
    id: entity.id,
    name: textOf(entity.name, language) ?? entity.id.split(":").slice(-2).join(" "),
    river: textOf(entity.riverName, language) ?? "",
    provider: textOf(entity.dataProvider, language) ?? "",
    point: pointOf(entity),
    value: numberOf(entity[LEVEL]),
    observedAt: observedAt(entity[LEVEL]),
    thresholds: JUDGED_LEVELS.map((row) => ({ ...row, metres: numberOf(entity[row.threshold]) })),
  };
}

/**
 * Add `state` (a row of STATES), `age` (milliseconds; negative: its clock is ahead) and `reached` (the level that its
 * last value reached, or null). Silence is decided first, so that no old value can pass for the present.
 */
export function judge(gauge, now, silentAfter) {
  const age = gauge.observedAt === null ? null : now - gauge.observedAt;
  const reached = levelReached(gauge);
  return { ...gauge, age, reached, state: STATE[stateKey(gauge, age, reached, silentAfter)] };
}

function stateKey(gauge, age, reached, silentAfter) {
  if (gauge.value === null || age === null || Math.abs(age) > silentAfter) return "silent";
  if (gauge.thresholds.every((row) => row.metres === null)) return "noThresholds";
  return reached === null ? "normal" : `level${reached}`;
}

/** The highest level whose threshold, where there is one, the value is at or above. */
function levelReached({ value, thresholds }) {
  if (value === null) return null;
  return thresholds.find((row) => row.metres !== null && value >= row.metres)?.level ?? null;
}

/** The most serious first; among equals what is nearest above its highest threshold, then by river and name. */
export const bySeverity = (a, b) =>
  a.state.rank - b.state.rank || (b.reached ?? 0) - (a.reached ?? 0) ||
  a.river.localeCompare(b.river, "ja") || a.name.localeCompare(b.name, "ja", { numeric: true });

/** How many gauges are in each state; every key of STATES is there. */
export function countStates(gauges) {
  const counts = Object.fromEntries(STATES.map(({ key }) => [key, 0]));
  for (const { state } of gauges) counts[state.key] += 1;
  return counts;
}

/** Newest observation time of all, or null. */
export const newest = (gauges) =>
  gauges.reduce((latest, { observedAt: at }) => (at !== null && (latest === null || at > latest) ? at : latest), null);
