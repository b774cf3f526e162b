// The class of a text: the counterpart of Classifier in seqpipe/runtime/heads/classes.py.

import { calibrated } from "../answer/calibration.js";
import { logSoftmax } from "../answer/ctc.js";

/** {label, confidence, probabilities: [{label, probability}] of all classes that may be, falling}. */
export function answer({ values, size }, { manifest: { decoding, calibration: { temperature, maps } }, page: { head: { names } } }) {
  const { among } = decoding;
  const allowed = among ? logSoftmax(values.map((value, place) => among.includes(names[place]) ? value : -Infinity), size) : values;
  const tempered = temperature === 1 ? allowed : logSoftmax(allowed, size, temperature);
  const probabilities = names.map((label, place) => ({ label, order: allowed[place], probability: Math.exp(tempered[place]) }))
    .filter(({ label }) => !among || among.includes(label))
    .sort((one, other) => other.order - one.order) // stable; whatever the temperature
    .map(({ label, probability }) => ({ label, probability }));
  return calibrated({ label: probabilities[0].label, confidence: probabilities[0].probability, probabilities }, maps);
}
