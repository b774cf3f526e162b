// The labels of a text: the counterpart of MultiLabel in seqpipe/runtime/heads/classes.py.

import { calibrated } from "../answer/calibration.js";

/** {labels, confidence, threshold, probabilities: [{label, probability}] of all labels, falling}. */
export function answer({ values }, { manifest: { decoding: { threshold }, calibration: { maps } }, page: { head: { names } } }) {
  const probabilities = names.map((label, place) => ({ label, probability: 1 / (1 + Math.exp(-values[place])) }));
  const confidence = probabilities.reduce((product, { probability: p }) => product * (p >= threshold ? p : 1 - p), 1);
  probabilities.sort((one, other) => other.probability - one.probability);
  const labels = probabilities.filter(({ probability }) => probability >= threshold).map(({ label }) => label);
  return calibrated({ labels, confidence, threshold, probabilities }, maps);
}
