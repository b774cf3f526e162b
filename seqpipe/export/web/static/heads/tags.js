// Tags of words: the counterpart of seqpipe/runtime/heads/tags.py.

import { calibrated, mapped } from "../answer/calibration.js";
import { logSoftmax } from "../answer/ctc.js";
import { wordsOf } from "../text/space.js";
import { Chain } from "./chain.js";
import { spansOf, splitTag } from "./spans.js";

/** {words: [{text, tag, start, end, confidence}], spans: [{type, text, start, end, confidence}], confidence}. */
export function answer({ values, size }, { manifest: { calibration: { temperature, maps } }, page: { head }, prepared }) {
  const { items, text } = prepared, { names, answers } = head;
  const { tags, confidences, confidence, spans } = head.is_free ? free(values, size, temperature) : chained(values, size, temperature, head);
  const words = items.map((item, place) => ({ ...item, tag: answers[tags[place]], confidence: confidences[place] }));
  const found = spans.map(({ type, first, stop, confidence: own }) => {
    const [start, end] = [items[first].start, items[stop - 1].end];
    return { type, text: text.slice(start, end), start, end, confidence: own };
  });
  const length = (count) => ({ log_words: Math.log(Math.max(1, count)) });
  return {
    ...calibrated({ confidence }, maps, length(words.length)),
    words,
    spans: mapped(found, maps.spans, (span) => length(wordsOf(span.text).length)),
  };
}

/** Each tag by itself. */
function free(values, size, temperature) {
  const tempered = temperature === 1 ? values : logSoftmax(values, size, temperature), tags = [], logs = [];
  for (let from = 0; from < values.length; from += size) {
    let best = 0;
    for (let tag = 1; tag < size; tag++) if (values[from + tag] > values[from + best]) best = tag;
    tags.push(best);
    logs.push(tempered[from + best]);
  }
  return {
    tags,
    confidences: logs.map((value) => Math.exp(Math.min(value, 0))),
    confidence: Math.exp(logs.reduce((sum, value) => sum + value, 0)),
    spans: [],
  };
}

/** The best sequence. */
function chained(values, size, temperature, { names, answers, marks_spans: marksSpans, potentials }) {
  const number = (value) => value ?? -Infinity; // which JSON has no word for
  const tempered = (scale) => {
    const scaled = (row) => row.map((value) => number(value) / scale), scores = [];
    for (let from = 0; from < values.length; from += size) scores.push(Float64Array.from(values.subarray(from, from + size), (value) => value / scale));
    const { transitions, start, end } = potentials;
    return new Chain(scores, { transitions: transitions.map(scaled), start: scaled(start), end: scaled(end) });
  };
  const tags = tempered(1).bestPath(), chain = tempered(temperature), messages = chain.messages();
  const { forward, backward, total } = messages;
  // Tags that are answered alike share their probability.
  const confidences = tags.map((tag, step) => Math.min(1, names.reduce((sum, _, other) =>
    answers[other] === answers[tag] ? sum + Math.exp(Math.min(forward[step][other] + backward[step][other] - total, 0)) : sum, 0)));
  const spans = marksSpans ? spansOf(tags.map((tag) => answers[tag])) : [];
  const sure = chain.spanConfidences(tags, messages, spans, names.map(splitTag));
  return {
    tags,
    confidences,
    confidence: Math.exp(Math.min(chain.pathScore(tags) - total, 0)),
    spans: spans.map((span, place) => ({ ...span, confidence: sure[place] })),
  };
}
