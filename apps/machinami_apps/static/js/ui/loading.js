/** Loading that goes on trying while the API does not answer, and says so. */
import { t } from "../i18n/i18n.js";
import { showNotice } from "./notices.js";

const RETRY_MS = 5_000;
const failing = new Map();

/** Run `work`; when it fails say why and run it again in five seconds, or at once by the button. */
export async function keepTrying(work) {
  clearTimeout(failing.get(work));
  try {
    await work();
    failing.delete(work);
    if (failing.size === 0) showNotice("api", null);
  } catch (error) {
    console.warn("loading failed:", error.message);
    failing.set(work, setTimeout(() => keepTrying(work), RETRY_MS));
    showNotice("api", failure(error));
  }
}

/** No answer, or 503: it is away. Any other answer is its own words. */
function failure(error) {
  const isAway = !error.status || error.status === 503;
  const texts = isAway ? { title: t("apiDown"), text: t("apiDownCure") } : { title: t("apiFailed"), text: error.message };
  return { kind: "error", ...texts, action: { label: t("retry"), run: () => [...failing.keys()].forEach(keepTrying) } };
}
