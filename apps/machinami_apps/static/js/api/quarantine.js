/** What could not be read: `/machinami/v1/quarantine`, newest first. Not of the standard. */
import { getJson } from "./client.js";

const MOST = 100;

/** `{count, more}`: how many are in quarantine, counted up to a hundred; `more` when there are others. */
export async function countQuarantine() {
  const { body, headers } = await getJson("/machinami/v1/quarantine", { limit: MOST });
  return { count: body.length, more: /rel="?next/.test(headers.get("Link") ?? "") };
}
