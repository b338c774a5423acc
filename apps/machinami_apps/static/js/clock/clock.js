/** As of when the page is read: now, the newest observation (`?at=latest`), or a given moment (`?at=ISO time`). */
import { serverNow } from "../api/client.js";
import { TIME_OFFSET } from "../config/city.js";

const HAS_TIME = /T\d\d:\d\d/;
const HAS_ZONE = /(Z|[+-]\d\d:?\d\d)$/i;

/** Milliseconds of an ISO time; one without a zone is meant in the city's. NaN if it cannot be read. */
export function parseMoment(text) {
  const whole = HAS_TIME.test(text) ? text : `${text}T00:00`;
  return Date.parse(HAS_ZONE.test(whole) ? whole : whole + TIME_OFFSET);
}

/** What `<input type="datetime-local">` shows for a moment: the city's wall clock. */
const wallClock = (moment) => new Date(moment + Date.parse("1970-01-01T00:00Z") - Date.parse(`1970-01-01T00:00${TIME_OFFSET}`))
  .toISOString().slice(0, 16);

/**
 * `{mode: "now"|"latest"|"fixed"|"unreadable", text, at(newest)}`; `at` gives milliseconds, or null while unknown.
 * A mode that the page does not offer is unreadable to it.
 */
export function readClock(search, modes) {
  // A "+" of an offset that was not escaped arrives as a space.
  const text = new URLSearchParams(search).get("at")?.trim().replace(" ", "+") ?? "";
  const clock = interpret(text);
  return modes.includes(clock.mode) ? clock : { mode: "unreadable", text, at: serverNow };
}

function interpret(text) {
  if (text === "") return { mode: "now", text, at: serverNow };
  if (text === "latest") return { mode: "latest", text, at: (newest) => newest };
  const moment = parseMoment(text);
  if (Number.isNaN(moment)) return { mode: "unreadable", text, at: serverNow };
  return { mode: "fixed", text, at: () => moment, local: wallClock(moment) };
}
