// Points evenly spaced along the way of the pen: the counterpart of seqpipe/features/pen/arc_length.py.

import { rangesOf } from "./ink.js";

const SLACK = 1e-6;

/** {place, x, y, down} of each point: the number of the original point, where it is, and 0 for the first of a stroke. */
export function spaced(ink, step) {
  const points = [];
  for (const [start, stop] of rangesOf(ink)) {
    const way = [0]; // arc length up to each point of the stroke
    for (let number = start + 1; number < stop; number++)
      way.push(way.at(-1) + Math.hypot(ink.x[number] - ink.x[number - 1], ink.y[number] - ink.y[number - 1]));
    const length = way.at(-1), intervals = Math.floor(length / step + 0.5 - SLACK);
    let segment = 0;
    for (let number = 0; number <= intervals; number++) {
      const at = intervals > 0 ? number * length / intervals : length / 2;
      while (segment < way.length - 2 && way[segment + 1] <= at) segment++;
      const span = (way[segment + 1] ?? way[segment]) - way[segment];
      const share = span > 0 ? Math.min(1, Math.max(0, (at - way[segment]) / span)) : 0;
      const before = start + segment, behind = Math.min(before + 1, ink.x.length - 1);
      points.push({
        place: before + share,
        x: ink.x[before] + share * (ink.x[behind] - ink.x[before]),
        y: ink.y[before] + share * (ink.y[behind] - ink.y[before]),
        down: +(number > 0),
      });
    }
  }
  return points;
}

/** How many points that will be. */
export function spacedCount(ink, step) {
  return rangesOf(ink).reduce((sum, [start, stop]) => {
    let length = 0;
    for (let number = start + 1; number < stop; number++)
      length += Math.hypot(ink.x[number] - ink.x[number - 1], ink.y[number] - ink.y[number - 1]);
    return sum + Math.max(0, Math.floor(length / step + 0.5 - SLACK)) + 1;
  }, 0);
}
