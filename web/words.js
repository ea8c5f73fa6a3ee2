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

/**
 * A duration to the second: 1 min 12 s.
 *
 * @param {number} seconds
 */
export function lasting(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return [hours && `${hours} h`, whole >= 60 && `${minutes} min`, `${whole % 60} s`].filter(Boolean).join(" ");
}

/**
 * The clock on the wall: 20:14:05.
 *
 * @param {number} time Unix time, in seconds.
 */
export function wallClock(time) {
  const date = new Date(1000 * time);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((number) => String(number).padStart(2, "0")).join(":");
}

/**
 * What a stopwatch shows: 1:02:33.
 *
 * @param {number} seconds
 */
export function stopwatch(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return [hours, minutes, whole % 60].map((number, place) => String(number).padStart(place && 2, "0")).join(":");
}
