/** How figures and names are written. */

/** Stands where there is nothing to tell. */
export const NOTHING = "–";

/** @param {string} name An instrument as the model names it. */
export function title(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** @param {number} probability From 0 to 1. */
export function percent(probability) {
  return `${Math.round(100 * probability)}\u202f%`;
}

/** @param {number} level In dBFS, -120 for nothing. */
export function decibels(level) {
  return level <= -119 ? "−∞" : `${level < -0.05 ? "−" : ""}${Math.abs(level).toFixed(1)}`;
}

/** @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${whole} s`;
}
