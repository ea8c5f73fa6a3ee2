/** What this browser remembers from one visit to the next, where it is allowed to. */

/**
 * @param {string} key
 * @returns {unknown} null where there is nothing, or nothing of use.
 */
export function recall(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null");
  } catch {
    return null; // storage is forbidden, or somebody else wrote there
  }
}

/**
 * @param {string} key
 * @param {unknown} value null to forget it.
 * @returns {boolean} Whether it will be remembered.
 */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false; // forbidden or full; what is kept in memory lasts as long as the page
  }
}
