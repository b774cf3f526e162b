// Texts that are written unit by unit, greedily: the counterpart of seqpipe/runtime/heads/attention.py.

import { calibrated } from "../answer/calibration.js";
import { logSoftmax } from "../answer/ctc.js";
import { spell } from "../answer/transcript.js";

const UNKNOWN = 0, STATE = "next_";

/** {text, confidence}. graphs: functions by name, of named values to named values. */
export async function answer({ values, size, steps }, { manifest, page: { head: { units, copies } }, prepared, graphs, tensor }) {
  const { decoding, calibration: { temperature, maps } } = manifest, end = units.pieces.length;
  const encoded = tensor("float32", values, [1, steps, size]), lengths = tensor("int64", BigInt64Array.of(BigInt(steps)), [1]);
  let given = { ...await graphs.start({ encoded, lengths }), lengths };
  const labels = [], attended = [], most = longest(steps, decoding);
  let last = end, logs = 0;
  for (;;) {
    const found = await graphs.step({ ...given, last: tensor("int64", BigInt64Array.of(BigInt(last)), [1, 1]) });
    for (const name of Object.keys(found)) if (name.startsWith(STATE)) given[name.slice(STATE.length)] = found[name];
    const logits = found.logits.data;
    last = greatest(restrained(logits, labels, end, labels.length >= most, decoding));
    logs += logSoftmax(logits, logits.length, temperature)[last];
    if (last === end) break;
    labels.push(last);
    attended.push(greatest(found.attention.data));
  }
  const copied = copies && labels.includes(UNKNOWN) && prepared.items?.length === steps; // a step is a word
  const text = copied
    ? labels.map((label, place) => label === UNKNOWN ? prepared.items[attended[place]].text : units.pieces[label]).join(" ")
    : spell(labels, units);
  return calibrated({ text, confidence: Math.exp(logs) }, maps);
}

/** Labels that an answer has at most, as SearchOptions.length_limits has it, whose product is one of single precision. */
function longest(steps, { max_ratio: ratio, max_extra: extra, max_length: length }) {
  const most = Math.max(1, Math.trunc(Math.fround(Math.fround(steps) * Math.fround(ratio))) + extra);
  return length === null ? most : Math.min(most, length);
}

/** Logits of what may come next, -Infinity for what mayn't; where nothing may, the end does. */
export function restrained(logits, labels, end, isAtLimit, { min_length: least, no_repeat_ngram: size }) {
  const found = isAtLimit ? logits.map(() => -Infinity) : logits.slice();
  if (labels.length < least) found[end] = -Infinity;
  if (size && labels.length >= size)
    for (let stop = size; stop <= labels.length; stop++) {
      const begins = labels.length - size + 1;
      if (labels.slice(stop - size, stop - 1).every((label, place) => label === labels[begins + place])) found[labels[stop - 1]] = -Infinity;
    }
  if (found.every((value) => value === -Infinity)) found[end] = logits[end];
  return found;
}

function greatest(values) {
  let best = 0;
  for (let place = 1; place < values.length; place++) if (values[place] > values[best]) best = place;
  return best;
}
