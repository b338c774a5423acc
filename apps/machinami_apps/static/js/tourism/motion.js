/** Smooth motion between position fixes. A dot glides from where it is seen to the newest fix in about the time until the next. */

const SHORTEST_MS = 400;
const LONGEST_MS = 20_000;
const FIRST_MS = 1_000;
/** A fix farther away than this is a jump of the receiver, not a ride; it is shown as the jump it is. In degrees, about 2 km. */
const JUMP_DEGREES = 0.02;

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export class Motion {
  #tracks = new Map();

  /** A vehicle is now at `point`; `now` in milliseconds of any steady clock. */
  moveTo(id, point, now) {
    const track = this.#tracks.get(id);
    if (!track) {
      this.#tracks.set(id, { from: point, to: point, start: now, duration: 0, fixedAt: null });
      return;
    }
    if (track.to[0] === point[0] && track.to[1] === point[1]) return;
    const from = jumps(track.to, point) || still() ? point : seen(track, now);
    const interval = track.fixedAt === null ? FIRST_MS : now - track.fixedAt;
    const duration = Math.min(Math.max(interval, SHORTEST_MS), LONGEST_MS);
    this.#tracks.set(id, { from, to: point, start: now, duration, fixedAt: now });
  }

  /** Where a vehicle is seen now, or null. */
  at(id, now) {
    const track = this.#tracks.get(id);
    return track ? seen(track, now) : null;
  }

  /** Whether any vehicle is still on its way to its newest fix. */
  busy(now) {
    return [...this.#tracks.values()].some(({ start, duration }) => now < start + duration);
  }
}

const jumps = ([x, y], [u, v]) => Math.abs(x - u) > JUMP_DEGREES || Math.abs(y - v) > JUMP_DEGREES;

function seen({ from, to, start, duration }, now) {
  const part = duration === 0 ? 1 : Math.min(Math.max((now - start) / duration, 0), 1);
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
}
