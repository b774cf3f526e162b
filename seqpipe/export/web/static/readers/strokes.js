// What PenStrokes prepares: evenly spaced points. See seqpipe/features/pen/ink_points.py.

import { inkOf } from "../ink/ink.js";
import { spaced, spacedCount } from "../ink/spacing.js";
import { frameOf, upright } from "../ink/writing_size.js";

export const reader = (options) => (given) => prepare(given, options);

/** given: {strokes, downward}. */
export function prepare({ strokes, downward }, options) {
  const ink = upright(inkOf(strokes, downward), options), frame = frameOf(ink, options.height);
  const step = options.step * frame.unit, count = spacedCount(ink, step);
  if (!(count <= options.max_length))
    throw new Error(`This would come to ${count} points, and at most ${options.max_length} are taken: write less at once.`);
  const points = spaced(ink, step), places = points.map(({ place }) => place);
  places.push(Math.ceil(places.at(-1)) + 1);
  return {
    values: Float32Array.from(points.flatMap(({ place, x, y, down }) =>
      [place, (x - frame.x) / frame.unit, (y - frame.y) / frame.unit, down])),
    shape: [1, points.length, 4],
    locate: (element) => between(places, element),
    amount: strokes.length,
    warning: null,
  };
}

/** A value of a list at a place that may have a fraction. */
function between(values, place) {
  const at = Math.min(values.length - 1, Math.max(0, place)), before = Math.min(Math.floor(at), values.length - 2);
  return values[before] + (at - before) * (values[before + 1] - values[before]);
}
