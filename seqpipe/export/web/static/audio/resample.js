// Another rate by a Hann-windowed sinc: the filter of seqpipe/features/speech/sinc.py.

const ZEROS = 6, ROLLOFF = 0.99;
const LARGEST_KERNEL = 1_000_000; // weights up to which one is kept for every pair of places

/** Float32Array [S] at `from` hertz -> [ceil(S · to / from)] at `to`. Rates are whole numbers. */
export function resample(samples, from, to) {
  if (from === to) return samples;
  const divisor = greatestCommonDivisor(from, to);
  const rate = from / divisor, newRate = to / divisor;
  const width = Math.ceil(ZEROS * rate / (Math.min(rate, newRate) * ROLLOFF));
  const kept = newRate * (2 * width + 1) <= LARGEST_KERNEL ? Array(newRate) : null;
  const found = new Float32Array(Math.ceil(samples.length * newRate / rate));
  for (let place = 0; place < found.length; place++) {
    const before = Math.floor(place * rate / newRate), between = place * rate % newRate;
    const weights = kept?.[between] ?? weightsAt(between / newRate, width, rate, newRate);
    if (kept) kept[between] = weights;
    let total = 0;
    const first = Math.max(0, width - before), last = Math.min(weights.length, samples.length - before + width);
    for (let tap = first; tap < last; tap++) total += samples[before + tap - width] * weights[tap];
    found[place] = total;
  }
  return found;
}

/** Of the inputs around an output that stands `between`, a share of an input, behind one of them. */
function weightsAt(between, width, rate, newRate) {
  const cutoff = Math.min(rate, newRate) * ROLLOFF;
  return Float64Array.from({ length: 2 * width + 1 }, (_, tap) => {
    const time = Math.min(ZEROS, Math.max(-ZEROS, (tap - width - between) / rate * cutoff));
    const angle = Math.PI * time;
    return (angle ? Math.sin(angle) / angle : 1) * Math.cos(angle / ZEROS / 2) ** 2 * cutoff / rate;
  });
}

function greatestCommonDivisor(one, other) {
  return other ? greatestCommonDivisor(other, one % other) : one;
}
