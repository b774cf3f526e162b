// What LineImage prepares: columns of ink. See seqpipe/features/image/ink_columns.py.

import { brightnessOf } from "../image/brightness.js";
import { inkOf } from "../image/ink.js";
import { resize, transposed } from "../image/resize.js";

const NARROW = 0.25, WIDE = 100; // widths in heights; lines of text have from 1 to 40

export const reader = (options) => (given) => prepare(given, options);

/** given: {pixels, width, height}. */
export function prepare(given, options) {
  const { width, height } = given;
  const columns = Math.max(1, Math.floor((2 * width * options.height + height) / (2 * height)));
  if (columns > (options.max_length ?? Infinity) || Math.max(width * height, columns * options.height) > options.max_pixels)
    throw new Error(`A picture of ${width} x ${height} pixels is too large for this model. Cut the line out of it.`);
  const scaled = resize(brightnessOf(given), columns, options.height);
  const ink = Uint8Array.from(inkOf(scaled, options.ink), (value) => Math.round(255 * value));
  const { data } = transposed({ data: ink, width: columns, height: options.height });
  return {
    values: data,
    shape: [1, columns, options.height],
    locate: (column) => Math.min(columns, Math.max(0, column)) * width / columns,
    amount: [width, height],
    warning: warningOf(ink, width / height),
  };
}

function warningOf(ink, aspect) {
  if (!ink.some((value) => value)) return "Nothing is seen in this picture: all of it is of one brightness.";
  if (aspect < NARROW || aspect > WIDE) return "Is that the picture of a single line of writing? It has an unusual shape.";
  return null;
}
