// The numbers of a text: the counterpart of seqpipe/runtime/heads/regression.py.

import { calibrated } from "../answer/calibration.js";

const RANGE = 20; // of logarithms

/** {values, deviations, tolerances, confidence: that every value is within its tolerance}. */
export function answer({ values: output }, { manifest: { calibration: { maps } }, page: { head } }) {
  const { means, standard_deviations: scales, tolerances } = head, count = means.length;
  const values = means.map((mean, place) => mean + scales[place] * output[place]);
  const deviations = scales.map((scale, place) => scale * Math.exp(Math.min(RANGE, Math.max(-RANGE, output[count + place]))));
  const confidence = tolerances.reduce((product, most, place) => product * erf(most / (deviations[place] * Math.SQRT2)), 1);
  return calibrated({ values, deviations, tolerances, confidence }, maps);
}

/** The error function of values from 0 on, to 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26). */
export function erf(value) {
  const t = 1 / (1 + 0.3275911 * value);
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return 1 - sum * Math.exp(-value * value);
}
