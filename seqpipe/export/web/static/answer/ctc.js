// Greedy decoding of connectionist temporal classification: the counterpart of seqpipe/runtime/heads/ctc.py.

export const BLANK = 0;

/** Log-probabilities [T, V] over the last axis: of values divided by a temperature, as doubles. */
export function logSoftmax(values, size, temperature = 1) {
  const found = Float64Array.from(values, (value) => value / temperature);
  for (let from = 0; from < found.length; from += size) {
    const row = found.subarray(from, from + size);
    const most = row.reduce((one, other) => Math.max(one, other), -Infinity);
    const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0)) + most;
    row.forEach((value, place) => { row[place] = value - total; });
  }
  return found;
}

/** With a penalty of the blank, in nats. */
export function penalized(values, size, penalty) {
  if (!penalty) return values;
  return logSoftmax(values.map((value, place) => place % size === BLANK ? value - penalty : value), size);
}

/** The best label of each step, repeats merged and blanks left out: arrays of labels, starts, stops and mean posteriors. */
export function bestPath(values, size, temperature = 1) {
  const steps = values.length / size;
  const tempered = temperature === 1 ? values : logSoftmax(values, size, temperature);
  const path = { labels: [], starts: [], stops: [], posteriors: [] };
  let start = 0, label = -1, sum = 0;
  for (let step = 0; step <= steps; step++) {
    const best = step < steps ? argmax(values, step * size, size) : -1;
    if (best !== label) {
      if (label > BLANK) {
        path.labels.push(label);
        path.starts.push(start);
        path.stops.push(step);
        path.posteriors.push(Math.min(sum / (step - start), 1));
      }
      [start, label, sum] = [step, best, 0];
    }
    if (step < steps) sum += Math.exp(tempered[step * size + best]);
  }
  return path;
}

function argmax(values, from, size) {
  let best = 0;
  for (let place = 1; place < size; place++) if (values[from + place] > values[from + best]) best = place;
  return best;
}

/** The posterior of labels over all their alignments, exp(-CTC loss): the forward recursion, scaled at each step. */
export function posterior(values, size, labels, temperature = 1) {
  const tempered = temperature === 1 ? values : logSoftmax(values, size, temperature);
  const steps = tempered.length / size, states = 2 * labels.length + 1;
  const labelOf = (state) => state % 2 ? labels[(state - 1) / 2] : BLANK;
  let forward = new Float64Array(states), logs = 0;
  for (let step = 0; step < steps; step++) {
    const moved = new Float64Array(states);
    let total = 0;
    for (let state = 0; state < states; state++) {
      let arriving = step ? forward[state] : +(state < 2);
      if (step && state > 0) arriving += forward[state - 1];
      if (step && state > 2 && state % 2 && labelOf(state) !== labelOf(state - 2)) arriving += forward[state - 2];
      moved[state] = arriving * Math.exp(tempered[step * size + labelOf(state)]);
      total += moved[state];
    }
    if (!(total > 0)) return 0; // labels that don't fit
    logs += Math.log(total);
    forward = moved.map((value) => value / total);
  }
  if (!steps) return +!labels.length;
  return Math.min(Math.exp(logs) * (forward[states - 1] + (states > 1 ? forward[states - 2] : 0)), 1);
}
