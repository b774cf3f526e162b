// Which pixels are ink: the counterpart of seqpipe/features/image/ink.py, which says why.

import { leastOf, mostOf } from "../ink/statistics.js";
import { reduce, transposed } from "./resize.js";

const LEAST_RANGE = 1 / 16, BLANK_RANGE = 2 / 255, INK_SHARE = 0.005;

/** Brightness {data, width, height} -> ink, 0 (paper) to 1, row by row. ink: "auto", "dark" or "light". */
export function inkOf(image, ink) {
  const isInkDark = ink === "dark" || (ink === "auto" && isDark(image));
  return stretched(Float32Array.from(image.data, (value) => (isInkDark ? 1 - value / 255 : value / 255)));
}

/** Whether ink, of which there is less, is darker than paper. */
export function isDark({ data, width, height }) {
  const low = leastOf(data), high = mostOf(data);
  if ((high - low) / 255 <= BLANK_RANGE) return true;
  const spread = { data: Uint8Array.from(data, (value) => Math.trunc((value - low) * 255 / (high - low) + 1e-5)), width, height };
  const by = Math.max(1, Math.floor(height / 32)), small = reduce(spread, by, by);
  const radius = Math.max(1, Math.floor(small.height / 2));
  const around = transposed(blurred(transposed(blurred(small, radius)), radius));
  return small.data.reduce((sum, value, place) => {
    const difference = value - around.data[place];
    return sum + difference * Math.abs(difference);
  }, 0) <= 0;
}

/** The mean of `radius` pixels to both sides in each row; the first and last go on beyond the ends. */
function blurred({ data, width, height }, radius) {
  const found = new Uint8Array(data.length);
  for (let row = 0; row < height; row++) {
    const at = (column) => data[row * width + Math.min(width - 1, Math.max(0, column))];
    let sum = 0;
    for (let column = -radius; column <= radius; column++) sum += at(column);
    for (let column = 0; column < width; column++) {
      found[row * width + column] = Math.floor(sum / (2 * radius + 1) + 0.5);
      sum += at(column + radius + 1) - at(column - radius);
    }
  }
  return { data: found, width, height };
}

function stretched(darkness) {
  const ordered = darkness.slice().sort(), last = ordered.length - 1;
  if (ordered[last] - ordered[0] <= BLANK_RANGE) return darkness.fill(0);
  const most = Math.min(last, Math.trunc((1 - INK_SHARE) * ordered.length));
  let paper = ordered[Math.floor(ordered.length / 2)];
  if (paper - ordered[last - most] > ordered[most] - paper) paper = ordered[last - most];
  const ink = Math.max(ordered[most], paper + (ordered[last] - paper) / 2), range = Math.max(ink - paper, LEAST_RANGE);
  return darkness.map((value) => Math.min(1, Math.max(0, (value - paper) / range)));
}
