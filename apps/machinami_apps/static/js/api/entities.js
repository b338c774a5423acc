/** Current state: pages of `/ngsi-ld/v1/entities` (clause 6.4) and the types there are (6.25). */
import { getJson } from "./client.js";

const PAGE = 1000;

/** All entities of the types (an array of terms), concise; `attrs` names the attributes wanted, null wants all. */
export async function loadEntities(types, attrs = null) {
  const entities = [];
  for (let total = 1; entities.length < total;) {
    const { body, headers } = await getJson("/ngsi-ld/v1/entities", {
      type: types.join(","), attrs, options: "concise", count: true, limit: PAGE, offset: entities.length,
    });
    entities.push(...body);
    total = body.length ? Number(headers.get("NGSILD-Results-Count") ?? 0) : 0;
  }
  return entities;
}

/** How many entities of a type there are. */
export async function countEntities(type) {
  const params = { type, options: "keyValues", count: true, limit: 1 };
  const { headers } = await getJson("/ngsi-ld/v1/entities", params);
  return Number(headers.get("NGSILD-Results-Count") ?? 0);
}

/** Terms of the types in use. */
export async function loadTypes() {
  const { body } = await getJson("/ngsi-ld/v1/types");
  return body.typeList ?? [];
}

/** `{tileUrl}`: what the operator set for the pages. */
export async function loadSettings() {
  return (await getJson("/machinami/v1/settings")).body;
}
