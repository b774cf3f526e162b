// How large, how slanted and how steep writing is: the counterpart of seqpipe/features/pen/writing_size.py, which says why.

import { rangesOf } from "./ink.js";
import { leastOf, median, mostOf } from "./statistics.js";

const TURN = 0.12, LEAST_CORE = 0.12, LEAST_OF_WIDTH = 0.005, LEAST_FULL = 0.05, LEAST_EXTENT = 1e-300, MAX_TURNS = 500;

/** {x, y, unit}: a point p goes to (p - (x, y)) / unit. kind: "core", "full" or "box". */
export function frameOf(ink, kind) {
  const [left, right, low, high] = [leastOf(ink.x), mostOf(ink.x), leastOf(ink.y), mostOf(ink.y)];
  const width = right - left, height = high - low;
  if (Math.max(width, height) < LEAST_EXTENT) return { x: left, y: low, unit: 1 };
  if (kind === "box") return { x: (left + right) / 2, y: (low + high) / 2, unit: Math.max(width, height) };
  if (kind === "full") return { x: left, y: (low + high) / 2, unit: Math.max(height, LEAST_FULL * width) };
  const { bottom, top, core } = coreBand(ink, low, high);
  return { x: left, y: (bottom + top) / 2, unit: Math.max(core, LEAST_CORE * height, LEAST_OF_WIDTH * width) };
}

/** The band of the small letters. */
function coreBand(ink, low, high) {
  const ways = verticalWays(ink, TURN * (high - low));
  if (!ways.length) return { bottom: low, top: high, core: high - low };
  const bottoms = ways.map(([lower]) => ink.y[lower]), tops = ways.map(([, upper]) => ink.y[upper]);
  const bottom = median(bottoms), top = median(tops);
  const mean = Math.exp(tops.reduce((sum, end, place) => sum + Math.log(end - bottoms[place]), 0) / ways.length);
  return { bottom, top, core: Math.sqrt(mean * Math.max(top - bottom, 0.1 * (high - low))) };
}

/** Numbers of lower and upper end of each way between turns of the pen. */
function verticalWays({ x, y, starts }, least) {
  const ways = [];
  for (const [start, stop] of rangesOf({ x, starts })) {
    let turned = start, farthest = start, extreme = y[start], direction = 0;
    const close = () => ways.push(direction > 0 ? [turned, farthest] : [farthest, turned]);
    for (let number = start + 1; number < stop; number++) {
      const beyond = (y[number] - extreme) * (direction || 1);
      if (direction === 0) {
        if (Math.abs(beyond) > least) [direction, farthest, extreme] = [beyond > 0 ? 1 : -1, number, y[number]];
      } else if (beyond > 0) [farthest, extreme] = [number, y[number]];
      else if (-beyond > least) {
        close();
        [turned, farthest, extreme, direction] = [farthest, number, y[number], -direction];
      }
    }
    if (direction) close();
  }
  return ways;
}

/** How the line rises that the writing stands on. */
export function slope(ink) {
  const height = mostOf(ink.y) - leastOf(ink.y);
  if (!(height > 0)) return 0;
  const lower = [...new Set(verticalWays(ink, TURN * height).map(([number]) => number))].sort((one, other) => one - other);
  const used = lower.slice(0, MAX_TURNS);
  const slopes = used.flatMap((one) => used
    .filter((other) => ink.x[other] - ink.x[one] > height)
    .map((other) => (ink.y[other] - ink.y[one]) / (ink.x[other] - ink.x[one])));
  if (lower.length < 3 || !slopes.length) return 0;
  const found = median(slopes);
  return Math.abs(found) <= 1 ? found : 0;
}

/** How far downstrokes lean to the right: the tangent of their angle. */
export function slant(ink) {
  const steps = rangesOf(ink).flatMap(([start, stop]) =>
    Array.from({ length: stop - start - 1 }, (_, place) => [
      ink.x[start + place + 1] - ink.x[start + place],
      ink.y[start + place + 1] - ink.y[start + place],
    ]));
  let found = 0;
  for (let time = 0; time < 2; time++) {
    const leans = steps
      .map(([across, rise]) => ({ upright: across - found * rise, weight: -rise }))
      .filter(({ upright, weight }) => weight > 0 && Math.abs(upright) < Math.sqrt(3) * weight)
      .map(({ upright, weight }) => ({ lean: -upright / weight, weight }))
      .sort((one, other) => one.lean - other.lean);
    if (!leans.length) break;
    const half = leans.reduce((sum, { weight }) => sum + weight, 0) / 2;
    let sum = 0;
    found += leans.find(({ weight }) => (sum += weight) >= half).lean;
  }
  return found;
}

/** Turned level and sheared upright, where that is wanted. */
export function upright(ink, { straighten, deslant }) {
  let { x, y, starts } = ink;
  if (straighten) {
    const rise = slope(ink), length = Math.hypot(1, rise), [along, across] = [1 / length, rise / length];
    [x, y] = [x.map((value, place) => value * along + y[place] * across), y.map((value, place) => value * along - x[place] * across)];
  }
  if (deslant) {
    const lean = slant({ x, y, starts });
    x = x.map((value, place) => value - lean * y[place]);
  }
  return { x, y, starts };
}
