/** Tells when a pixel of the page has become another size: the window is on another screen, or the page was zoomed. */

/** @param {() => void} callback Called each time. */
export function onResolution(callback) {
  const query = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
  const once = () => {
    query.removeEventListener("change", once);
    callback();
    onResolution(callback);
  };
  query.addEventListener("change", once);
}
