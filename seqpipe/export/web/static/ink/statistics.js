// Of lists of numbers.

export const leastOf = (values) => values.reduce((one, other) => Math.min(one, other), Infinity);
export const mostOf = (values) => values.reduce((one, other) => Math.max(one, other), -Infinity);

export function median(values) {
  const sorted = Float64Array.from(values).sort(), middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
