// Transcripts: the counterpart of seqpipe/runtime/heads/ctc.py.

import { calibrated, mapped } from "../answer/calibration.js";
import { bestPath, penalized, posterior } from "../answer/ctc.js";
import { transcribe } from "../answer/transcript.js";

export function answer({ values, size }, { manifest, page, prepared }) {
  const { decoding, stride, offset, calibration: { temperature, maps } } = manifest;
  const scores = penalized(values, size, decoding.blank_penalty);
  const path = bestPath(scores, size, temperature);
  const found = transcribe(path, page.head.units, (step) => prepared.locate(step * stride + offset));
  return {
    ...calibrated({ text: found.text, confidence: posterior(scores, size, path.labels, temperature) }, maps),
    words: mapped(found.words, maps.words, (word) => ({ log_length: Math.log([...word.text].length) })),
    tokens: mapped(found.tokens, maps.tokens),
  };
}
