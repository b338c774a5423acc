/** Numbers, times and ages as people read them. */
import { TIME_ZONE } from "../config/city.js";
import { lang } from "../i18n/i18n.js";

const UNITS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1_000]];
const cache = new Map();

function cached(make, ...key) {
  const name = [make.name, lang(), ...key].join();
  if (!cache.has(name)) cache.set(name, make(...key));
  return cache.get(name);
}

const numberFormat = (digits) => new Intl.NumberFormat(lang(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
const relativeFormat = (style) => new Intl.RelativeTimeFormat(lang(), { numeric: "always", style });
const timeFormat = (fields) => new Intl.DateTimeFormat(lang() === "ja" ? "ja-JP" : "en-GB", { ...FIELDS[fields], timeZone: TIME_ZONE });

const FIELDS = {
  full: { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" },
  short: { month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  hour: { hour: "2-digit", minute: "2-digit" },
  day: { month: "numeric", day: "numeric" },
};

export const number = (value, digits = 0) => cached(numberFormat, digits).format(value);

/** Metres with the two decimals that gauges give; a dash where there is no value. */
export const metres = (value) => (value === null ? "–" : `${number(value, 2)} m`);

/** A moment in the city's zone; `fields` is a key of FIELDS. */
export const time = (milliseconds, fields = "full") => cached(timeFormat, fields).format(milliseconds);

/** "3 min. ago": an age in milliseconds; a negative one lies ahead. */
export function age(milliseconds) {
  const [unit, size] = UNITS.find(([, length]) => Math.abs(milliseconds) >= length) ?? UNITS.at(-1);
  // Below a second it is "0 seconds ago", never "in 0 seconds": Intl tells -0 from 0.
  return cached(relativeFormat, "short").format(-Math.trunc(milliseconds / size) || -0, unit);
}
