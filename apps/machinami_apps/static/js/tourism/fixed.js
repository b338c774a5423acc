/**
 * Devices that never leave a receiver, such as tags of staff and tills. They are heard in every minute, so there are as
 * many as the fewest that were heard in a minute of the last day; to know that, no device need be known again.
 */
import { lowestByHour } from "../api/temporal.js";
import { COUNT, TYPE } from "./people.js";

const HOUR = 3_600_000;
/** Hours of a day that must be known: fewer may lack the small hours, and people would be taken for fixed devices. */
const ENOUGH = 20;

/** How many fixed devices there are, from the lowest count of each hour; 0 while too few hours are known. */
export const fixedAmong = (lowest) => (lowest.length < ENOUGH ? 0 : Math.min(...lowest));

export class FixedDevices {
  #onKnown;
  #hour = null;
  #known = new Map();

  /** `onKnown` is called when the numbers have changed, or with the error when they could not be had. */
  constructor(onKnown) {
    this.#onKnown = onKnown;
  }

  /** Fixed devices at a receiver. */
  at = (id) => this.#known.get(id) ?? 0;

  /** Some receiver has known ones, so that a count of devices is not what was heard. */
  get any() {
    return [...this.#known.values()].some((count) => count > 0);
  }

  /** Look at the 24 whole hours before a moment (milliseconds), once for each hour. */
  async look(moment) {
    const hour = Math.floor(moment / HOUR);
    if (hour === this.#hour) return;
    this.#hour = hour;
    try {
      const lowest = await lowestByHour(TYPE, COUNT, (hour - 24) * HOUR, hour * HOUR);
      if (hour !== this.#hour) return;
      this.#known = new Map([...lowest].map(([id, counts]) => [id, fixedAmong(counts)]));
      this.#onKnown();
    } catch (error) {
      this.#hour = null; // asked again with the next picture
      this.#onKnown(error);
    }
  }
}
