// Labels and their places as a transcript: the counterpart of seqpipe/answers/transcribing.py and transcript.py.

import { SPACE } from "../text/space.js";

const BEGINS = new RegExp(`^[${SPACE}]`), ENDS = new RegExp(`[${SPACE}]$`), WORD = new RegExp(`[^${SPACE}]+`, "g");

/**
 * Where labels begin and end, in seconds, and with what posteriors, as {text, tokens, words}.
 * path: of bestPath. units: see page.json. locate: steps -> seconds.
 */
export function transcribe(path, units, locate) {
  const tokens = path.labels.map((label, place) => ({
    text: units.pieces[label - 1],
    start: locate(path.starts[place] - 0.5), // a step stands for the time around its centre
    end: locate(path.stops[place] - 0.5),
    confidence: path.posteriors[place],
  }));
  return { text: spell(path.labels.map((label) => label - 1), units), tokens, words: groupWords(tokens) };
}

/** The text of units. Spaces before a text of subwords are none of its own. */
export function spell(numbers, units) {
  if (units.separator) return numbers.map((number) => units.pieces[number]).join(units.separator);
  let text = "";
  for (const number of numbers) {
    const piece = number === units.unknown ? " \u2047 " : units.pieces[number];
    text += units.drops_leading_space && text === "" && piece[0] === " " && number !== units.unknown ? piece.slice(1) : piece;
  }
  return text;
}

/** Tokens joined to words at white space, inside tokens too. */
export function groupWords(tokens) {
  const words = [];
  let word = [];
  const close = () => {
    if (word.length) words.push(word);
    word = [];
  };
  for (const token of tokens) {
    if (BEGINS.test(token.text)) close();
    (token.text.match(WORD) ?? []).forEach((text, place) => {
      if (place) close();
      word.push({ text, token });
    });
    if (ENDS.test(token.text)) close();
  }
  close();
  return words.map((parts) => ({
    text: parts.map(({ text }) => text).join(""),
    start: Math.min(...parts.map(({ token }) => token.start)),
    end: Math.max(...parts.map(({ token }) => token.end)),
    confidence: parts.reduce((product, { token }) => product * token.confidence, 1),
  }));
}
