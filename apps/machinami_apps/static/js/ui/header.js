/** The bar on top of every page: brand, pages, connection, language. */
import { lang, onLanguage, setLanguage, t, translatePage } from "../i18n/i18n.js";
import { byId, h, svg } from "./dom.js";

const PAGES = [["/", "navHome"], ["/apps/safety/", "navSafety"], ["/apps/tourism/", "navTourism"], ["/docs", "navApi"]];
let connection = "connecting";

const brandMark = () =>
  svg("svg", { viewBox: "0 0 32 32", class: "brand-mark", "aria-hidden": "true" },
    svg("path", { d: "M3 27V16l6-5 6 5v11zM15 27V9l7-5 7 5v18z", class: "brand-roofs" }),
    svg("path", { d: "M3 27h26", class: "brand-ground" }));

const navLink = ([path, key]) =>
  h("a", { href: path, "data-t": key, "aria-current": location.pathname === path ? "page" : null });

const languageButton = (code, label) =>
  h("button", { type: "button", lang: code, "data-lang": code, onclick: () => setLanguage(code) }, label);

function build() {
  byId("header").append(
    h("a", { href: "#main", class: "skip-link", "data-t": "skip" }),
    h("a", { href: "/", class: "brand" }, brandMark(), h("span", { "data-t": "brand" })),
    h("nav", { "data-t-label": "nav" }, PAGES.map(navLink)),
    h("p", { class: "connection", id: "connection", role: "status" },
      h("span", { class: "connection-dot", "aria-hidden": "true" }), h("span", { id: "connection-text" })),
    h("div", { class: "languages", role: "group", "data-t-label": "language" },
      languageButton("ja", "日本語"), languageButton("en", "English")),
  );
}

function refresh() {
  translatePage();
  showConnection(connection);
  for (const button of document.querySelectorAll(".languages button")) {
    button.setAttribute("aria-pressed", String(button.dataset.lang === lang()));
  }
}

/** One of "connecting", "live", "reconnecting", "offline", "recorded". */
export function showConnection(state) {
  connection = state;
  byId("connection").dataset.state = state;
  byId("connection-text").textContent = t(state);
}

export function startHeader() {
  build();
  onLanguage(refresh);
}
