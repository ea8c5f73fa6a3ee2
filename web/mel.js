/** The model's ear: 129 bands on Slaney's mel scale from 0 Hz to half the sample rate, 512 samples from frame to frame. */

export const BANDS = 129;
/** Frames in a second. */
export const RATE = 22050 / 512;
/** From the centre of the newest frame of a message to its time, in frames. */
export const LAG = 1024 / 512;

/** Linear below it, logarithmic above. In hertz. */
const KNEE = 1000;
/** In hertz for each mel below the knee. */
const SLOPE = 200 / 3;
/** Of the logarithm for each mel above it. */
const STEP = Math.log(6.4) / 27;

/** @param {number} hertz */
function mel(hertz) {
  return hertz < KNEE ? hertz / SLOPE : KNEE / SLOPE + Math.log(hertz / KNEE) / STEP;
}

/** From the centre of one band to the next, in mels. */
const SPACING = mel(22050 / 2) / (BANDS + 1);

/**
 * The band with its centre at a frequency: a whole number for the centres themselves.
 *
 * @param {number} hertz
 */
export function band(hertz) {
  return mel(hertz) / SPACING - 1;
}
