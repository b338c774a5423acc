/** Languages of the pages: `?lang=`, else what was chosen before, else the browser's. Texts sit side by side in tables. */
import { COMMON } from "./common.js";

const KEY = "machinami.lang";
const LANGUAGES = ["ja", "en"];
const messages = { ...COMMON };
const listeners = new Set();
let current = chosen();

function chosen() {
  const asked = new URLSearchParams(location.search).get("lang");
  const browser = navigator.language?.startsWith("ja") ? "ja" : "en";
  return [asked, localStorage.getItem(KEY), browser].find((one) => LANGUAGES.includes(one));
}

/** The language now: "ja" or "en". */
export const lang = () => current;

/** Add a page's table: key → `{ja, en}`. */
export const defineMessages = (table) => Object.assign(messages, table);

/** Text of a key; `{name}` is replaced by `values.name`. */
export function t(key, values = {}) {
  if (!(key in messages)) throw new Error(`no message "${key}"`);
  return messages[key][current].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Text of a `{ja, en}` pair from a configuration module. */
export const pick = (pair) => pair[current];

/** Call `listener` now and whenever the language changes. */
export function onLanguage(listener) {
  listeners.add(listener);
  listener();
}

export function setLanguage(language) {
  current = language;
  localStorage.setItem(KEY, language);
  const url = new URL(location.href);
  if (url.searchParams.has("lang")) url.searchParams.set("lang", language);
  history.replaceState(null, "", url);
  for (const listener of listeners) listener();
}

/** Put texts into elements with `data-t` (content) and `data-t-label` (aria-label). */
export function translatePage() {
  document.documentElement.lang = current;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
}
