// What Waveform prepares: samples of the model's rate. See seqpipe/features/speech/recordings.py.

import { resample } from "../audio/resample.js";
import { toMono } from "../audio/mono.js";
import { leastOf, mostOf } from "../ink/statistics.js";

const SILENCE = 2 ** -14; // between the lowest and the highest sample: two steps of 16 bit

export const reader = (options) => (given) => prepare(given, options);

/** given: {channels, rate}. */
export function prepare({ channels, rate }, options) {
  const samples = resample(toMono(channels, options.channels), rate, options.sample_rate);
  return {
    values: samples,
    shape: [1, samples.length],
    locate: (element) => Math.min(samples.length, Math.max(0, element)) / options.sample_rate,
    amount: channels[0].length / rate,
    warning: mostOf(samples) - leastOf(samples) <= SILENCE
      ? "Nothing is heard in this recording: it is silent. Was the right microphone chosen?" : null,
  };
}
