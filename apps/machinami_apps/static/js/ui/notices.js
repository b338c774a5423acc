/** Banners between header and content: one for each `key`; the same key replaces it, null takes it away. */
import { byId, h } from "./dom.js";

/** `notice`: `{kind: "info"|"warning"|"error"|"recorded", title, text, action: {label, run}}`, or null. */
export function showNotice(key, notice) {
  const id = `notice-${key}`;
  const old = byId(id);
  if (notice === null) old?.remove();
  else if (old?.dataset.content !== contentOf(notice)) replace(old, element(id, notice));
}

const contentOf = ({ kind, title, text, action }) => JSON.stringify([kind, title, text, action?.label]);

function replace(old, made) {
  if (old) old.replaceWith(made);
  else byId("notices").append(made);
}

const element = (id, notice) =>
  h("div", { id, class: "notice", "data-kind": notice.kind, "data-content": contentOf(notice), role: notice.kind === "error" ? "alert" : "status" },
    h("p", {}, h("strong", {}, notice.title), notice.text ? ` ${notice.text}` : null),
    notice.action && h("button", { type: "button", class: "button", onclick: notice.action.run }, notice.action.label));
