/** Which instruments have a place of their own, where there are too many for all to have one. */

/** So many places there are. */
export const PLACES = 8;

/** A place changes hands only for so many times as much: nobody shall jump about. */
const MORE = 1.5;

/** Whether not all of them can have a place: one or two more than there are places are better shown. @param {readonly string[]} labels */
export const areMany = (labels) => labels.length > PLACES + 2;

/** An instrument stays in its place until another one has much more to show and there is no other place. */
export class Places {
  /** Those that have a place, each always in the same one. @type {string[]} */
  names;

  /** @param {readonly string[]} [names] Who has them to begin with. */
  constructor(names = []) {
    this.names = names.slice(0, PLACES);
  }

  /**
   * Give places to those that have most to show.
   *
   * @param {ReadonlyMap<string, number>} weights How much each has to show; those with nothing get no place, and free
   *   places are taken in the order of the map.
   */
  settle(weights) {
    /** @param {string} name */
    const weight = (name) => weights.get(name) ?? 0;
    const outside = [...weights.keys()].filter((name) => weight(name) > 0 && !this.names.includes(name));
    outside.sort((a, b) => weight(b) - weight(a));
    const welcome = outside.splice(0, PLACES - this.names.length);
    this.names.push(...[...weights.keys()].filter((name) => welcome.includes(name)));
    for (const name of outside) {
      const least = this.names.reduce((one, other) => (weight(other) <= weight(one) ? other : one));
      if (weight(name) <= MORE * weight(least)) return;
      this.names[this.names.indexOf(least)] = name;
    }
  }
}
