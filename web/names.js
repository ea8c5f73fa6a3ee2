/** Names that a service was taught, and whatever else this page has no drawing for: their colours, their family. */

import { welcome } from "./families.js";
import { allot } from "./palette.js";

/**
 * Take note of who there is, before any of them is drawn.
 *
 * @param {import("./messages.js").Hello} hello
 * @param {string | null} [coming] The name that is being taught, which has the colour already that it will have.
 */
export function introduce({ labels, taught = [] }, coming = null) {
  allot(coming === null || labels.includes(coming) ? labels : [...labels, coming]);
  welcome(taught);
}
