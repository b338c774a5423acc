/** The banners that say as of when the page is read. Recorded data can not be mistaken for the present. */
import { serverNow } from "../api/client.js";
import { RECORDED_HOURS } from "../config/city.js";
import { t } from "../i18n/i18n.js";
import { address } from "../ui/address.js";
import { time } from "../ui/format.js";
import { showNotice } from "../ui/notices.js";

const AHEAD_MS = 3_600_000;

const go = (at) => () => location.assign(address({ at }));

function recorded(moment) {
  const text = moment === null ? t("recordedWait") : t("recordedText", { time: time(moment) });
  return { kind: "recorded", title: t("recordedTitle"), text, action: { label: t("backToNow"), run: go(null) } };
}

function old(latest) {
  const title = t("oldTitle", { time: time(latest) });
  return { kind: "warning", title, text: t("oldText"), action: { label: t("showRecorded"), run: go("latest") } };
}

/** `latest`: newest observation of the network or null; `moment`: as of when the page is shown, or null. */
export function showClockNotices(clock, { latest, moment }) {
  const age = latest === null ? 0 : serverNow() - latest;
  const outOfDate = age > RECORDED_HOURS * 3_600_000 || age < -AHEAD_MS;
  const isRecorded = clock.mode === "latest" || clock.mode === "fixed";
  document.documentElement.toggleAttribute("data-recorded", isRecorded);
  showNotice("recorded", isRecorded ? recorded(moment) : null);
  showNotice("old", !isRecorded && outOfDate ? old(latest) : null);
  const unreadable = { kind: "error", title: t("badTime", { value: clock.text }), text: t("badTimeCure") };
  showNotice("clock", clock.mode === "unreadable" ? unreadable : null);
}
