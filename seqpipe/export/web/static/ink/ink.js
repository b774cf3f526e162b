// Strokes as points in one row: {x, y, starts}, y up; the counterpart of seqpipe/data/ink/strokes.py.

/** strokes: lists of [x, y]. Those without points are left out. */
export function inkOf(strokes, downward) {
  const kept = strokes.filter((stroke) => stroke.length), points = kept.flat();
  const starts = [];
  kept.reduce((first, stroke) => {
    starts.push(first);
    return first + stroke.length;
  }, 0);
  return {
    x: Float64Array.from(points, ([x]) => x),
    y: Float64Array.from(points, ([, y]) => (downward ? -y : y)),
    starts,
  };
}

/** Numbers of the first point of each stroke and of the point behind its last. */
export const rangesOf = ({ x, starts }) => starts.map((start, number) => [start, starts[number + 1] ?? x.length]);

/** Strokes of a JSON file: flat lists, or lists of points, alone or as "strokes"; null if it is none. */
export function parseStrokes(raw, encoding) {
  const list = raw?.strokes ?? raw;
  if (!Array.isArray(list) || !list.every(Array.isArray)) return null;
  const strokes = list.map((stroke) => {
    if (stroke.every(Array.isArray)) return stroke.map(([x, y]) => [x, y]);
    if (stroke.length % 2) return [[NaN, NaN]];
    const points = Array.from({ length: stroke.length / 2 }, (_, place) => [stroke[2 * place], stroke[2 * place + 1]]);
    if (encoding === "differences")
      for (let place = 1; place < points.length; place++) points[place] = points[place].map((value, axis) => value + points[place - 1][axis]);
    return points;
  });
  const FARTHEST = 1e12;
  return strokes.flat(2).every((value) => typeof value === "number" && Math.abs(value) <= FARTHEST) ? strokes : null;
}
