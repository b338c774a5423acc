/** Networks: things of one data provider, chosen in a `<select>`. */
import { PROVIDERS } from "../config/city.js";
import { pick } from "../i18n/i18n.js";
import { h } from "./dom.js";

/** Providers there are, with counts: `[[name, count], …]`, those known in the order of the configuration. */
export function providersOf(things) {
  const counts = new Map();
  for (const { provider } of things) counts.set(provider, (counts.get(provider) ?? 0) + 1);
  const known = Object.keys(PROVIDERS);
  const order = (name) => (known.includes(name) ? known.indexOf(name) : known.length - 1.5);
  return [...counts].sort(([a], [b]) => order(a) - order(b) || a.localeCompare(b));
}

/** The wanted network if there is such a one, else the first there is, or null. */
export const chooseNetwork = (providers, wanted) =>
  (providers.find(([name]) => name === wanted) ?? providers[0])?.[0] ?? null;

export const providerName = (name) => (PROVIDERS[name] ? pick(PROVIDERS[name]) : name);

/** Fill the `<select>`; it is left alone when nothing changed, so that an open list stays open. */
export function showNetworks(select, providers, chosen) {
  const texts = providers.map(([name, count]) => `${providerName(name)} (${count})`);
  const same = [...select.options].map((one) => one.text).join() === texts.join();
  if (!same) select.replaceChildren(...providers.map(([value], n) => h("option", { value }, texts[n])));
  select.value = chosen;
}
