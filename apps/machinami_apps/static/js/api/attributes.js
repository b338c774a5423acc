/** Reading attributes of an entity, whether concise, simplified or normalized (ETSI GS CIM 009 clause 4.5). */

const MEMBERS = ["value", "languageMap", "object", "vocab", "json"];
const isInstance = (thing) => thing !== null && typeof thing === "object" && "datasetId" in thing;

/** The instance without datasetId where there are several. */
function instance(attribute) {
  const several = Array.isArray(attribute) && attribute.some(isInstance);
  return several ? (attribute.find((one) => !isInstance(one)) ?? attribute[0]) : attribute;
}

/** Its value; null when the attribute is not there. */
export function valueOf(attribute) {
  const one = instance(attribute) ?? null;
  if (one === null || typeof one !== "object") return one;
  const member = MEMBERS.find((name) => name in one);
  return member ? one[member] : one;
}

/** Its value if it is a finite number, else null. None never means zero. */
export function numberOf(attribute) {
  const value = valueOf(attribute);
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Its text in the language wanted, or the nearest there is, or null. */
export function textOf(attribute, language) {
  const value = valueOf(attribute);
  if (value === null || typeof value !== "object") return value === null ? null : String(value);
  const map = value.languageMap ?? value;
  return map[language] ?? map.ja ?? map.en ?? Object.values(map)[0] ?? null;
}

/** When it was observed, milliseconds since the epoch, or null. */
export function observedAt(attribute) {
  const moment = Date.parse(instance(attribute)?.observedAt ?? "");
  return Number.isFinite(moment) ? moment : null;
}

/** `[longitude, latitude]` of an entity's Point, or null. */
export function pointOf(entity) {
  const geometry = valueOf(entity.location);
  const [longitude, latitude] = geometry?.type === "Point" ? geometry.coordinates : [];
  return Number.isFinite(longitude) && Number.isFinite(latitude) ? [longitude, latitude] : null;
}
