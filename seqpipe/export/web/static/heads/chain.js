// Linear-chain conditional random fields: the counterpart of seqpipe/runtime/crf.py, for one row.

/** A row's scores [T][K], and those of neighbours {transitions: [K][K], start: [K], end: [K]}; -Infinity is forbidden. */
export class Chain {
  constructor(scores, { transitions, start, end }) {
    [this.scores, this.pairs, this.start, this.end] = [scores, transitions, start, end];
    this.size = start.length;
  }

  /** The best path (Viterbi 1967); of equal ones that with the first tags, from the end on. */
  bestPath() {
    const { scores, pairs, size } = this;
    const ahead = [this.start.map((value, tag) => value + scores[0][tag])];
    for (let step = 1; step < scores.length; step++) {
      const last = ahead.at(-1), next = new Float64Array(size);
      for (let to = 0; to < size; to++) {
        let best = -Infinity;
        for (let from = 0; from < size; from++) best = Math.max(best, last[from] + pairs[from][to]);
        next[to] = best + scores[step][to];
      }
      ahead.push(next);
    }
    const path = Array(scores.length);
    for (let step = scores.length - 1; step >= 0; step--) {
      const behind = step + 1 < scores.length ? (tag) => pairs[tag][path[step + 1]] : (tag) => this.end[tag];
      path[step] = firstGreatest(size, (tag) => ahead[step][tag] + behind(tag));
    }
    return path;
  }

  pathScore(path) {
    return path.reduce((sum, tag, step) =>
      sum + this.scores[step][tag] + (step ? this.pairs[path[step - 1]][tag] : this.start[tag]), 0) + this.end[path.at(-1)];
  }

  /** Sums over all beginnings up to a tag, its score included, and over all that may follow it, with logarithms. */
  messages() {
    const { scores, pairs, size } = this, last = scores.length - 1;
    const forward = Array(scores.length), backward = Array(scores.length);
    forward[0] = this.start.map((value, tag) => value + scores[0][tag]);
    for (let step = 1; step <= last; step++)
      forward[step] = fill(size, (to) => logSum(size, (from) => forward[step - 1][from] + pairs[from][to]) + scores[step][to]);
    backward[last] = this.end;
    for (let step = last - 1; step >= 0; step--)
      backward[step] = fill(size, (from) => logSum(size, (to) => pairs[from][to] + scores[step + 1][to] + backward[step + 1][to]));
    return { forward, backward, total: logSum(size, (tag) => forward[last][tag] + this.end[tag]) };
  }

  /**
   * The probability of each span {type, first, stop} of a path: of all paths that go through its tags, without those
   * that go on with I-. parts: prefix and type of each tag.
   */
  spanConfidences(path, { forward, backward, total }, spans, parts) {
    const endsAreMarked = parts.some(([prefix]) => prefix === "E" || prefix === "S");
    return spans.map(({ type, first, stop }) => {
      let logs = forward[first][path[first]] - total;
      for (let step = first + 1; step < stop; step++) logs += this.pairs[path[step - 1]][path[step]] + this.scores[step][path[step]];
      const last = backward[stop - 1][path[stop - 1]], longer = parts.findIndex(([prefix, kind]) => prefix === "I" && kind === type);
      let share = Math.exp(Math.min(logs + last, 0));
      if (!endsAreMarked && stop < path.length && longer >= 0) {
        const goesOn = this.pairs[path[stop - 1]][longer] + this.scores[stop][longer] + backward[stop][longer] - last;
        share *= -Math.expm1(Math.min(goesOn, 0));
      }
      return Math.min(Math.max(share, 0), 1);
    });
  }
}

const fill = (size, value) => Float64Array.from({ length: size }, (_, place) => value(place));

function firstGreatest(size, value) {
  let best = 0;
  for (let place = 1; place < size; place++) if (value(place) > value(best)) best = place;
  return best;
}

function logSum(size, value) {
  let most = -Infinity, sum = 0;
  for (let place = 0; place < size; place++) most = Math.max(most, value(place));
  if (most === -Infinity) return most;
  for (let place = 0; place < size; place++) sum += Math.exp(value(place) - most);
  return most + Math.log(sum);
}
