/** How much of a name has sounded: a ring that is full with the most that is listened to, and a tick every ten seconds. */

const NAMESPACE = "http://www.w3.org/2000/svg";
/** Of the drawing, in units: its middle and the middle of its line. */
const [MIDDLE, RADIUS] = [60, 52];
/** How far the ticks reach to either side of it. */
const TICK = 4.5;
/** From one tick to the next, in seconds. */
const EVERY = 10;
const AROUND = 2 * Math.PI * RADIUS;

export class Ring {
  #element;
  #track = circle("ring-track");
  #needed = circle("ring-needed");
  #fill = circle("ring-fill");
  #ticks = node("g", { class: "ring-ticks" });
  #marked = "";

  /** @param {HTMLElement} element Gets the drawing, and is what screen readers meet. */
  constructor(element) {
    this.#element = element;
    const svg = node("svg", { viewBox: "0 0 120 120", "aria-hidden": "true" });
    const turned = node("g", { transform: `rotate(-90 ${MIDDLE} ${MIDDLE})` });
    turned.append(this.#track, this.#needed, this.#fill, this.#ticks);
    svg.append(turned);
    element.prepend(svg);
    element.setAttribute("role", "progressbar");
    element.setAttribute("aria-valuemin", "0");
  }

  /** @param {{seconds: number, least: number, most: number}} progress */
  show({ seconds, least, most }) {
    this.#mark(least, most);
    this.#fill.setAttribute("stroke-dasharray", dash(seconds / most));
    this.#element.dataset.enough = String(seconds >= least);
    this.#element.setAttribute("aria-valuemax", String(most));
    this.#element.setAttribute("aria-valuenow", String(Math.round(Math.min(seconds, most))));
    const of = seconds < least ? `${least} seconds that are needed` : `${most} seconds at the most`;
    this.#element.setAttribute("aria-valuetext", `${Math.floor(seconds)} of ${of}`);
  }

  /** @param {number} least @param {number} most */
  #mark(least, most) {
    const marked = `${least} ${most}`;
    if (marked === this.#marked) return;
    this.#marked = marked;
    this.#needed.setAttribute("stroke-dasharray", dash(least / most));
    const places = Array.from({ length: Math.ceil(most / EVERY) }, (_, number) => (360 * number * EVERY) / most);
    this.#ticks.replaceChildren(
      ...places.map((angle) =>
        node("path", {
          d: `M${MIDDLE + RADIUS - TICK} ${MIDDLE}h${2 * TICK}`,
          transform: `rotate(${angle} ${MIDDLE} ${MIDDLE})`,
        }),
      ),
    );
  }
}

/** A line that is drawn so far around. @param {number} share From 0 to 1. */
function dash(share) {
  return `${AROUND * Math.min(1, Math.max(0, share))} ${AROUND}`;
}

/** @param {string} name */
function circle(name) {
  return node("circle", { class: name, cx: MIDDLE, cy: MIDDLE, r: RADIUS });
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function node(tag, attributes) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
