// Texts into words, with their places: the counterpart of seqpipe/text/splitting.py.
//
// Python's classes are spelt out, since \w, \d, \b and \s know other characters in JavaScript. Upper case is spelt out
// too: under the flag i, \p{L} would let in U+0345, a mark that folds to a letter.

import { SPACE } from "./space.js";

const LETTERS = "\\p{L}\\p{Nl}\\p{No}"; // [^\W\d_]
const SIGNS = `\\p{L}\\p{N}_`; // \w
const END = `(?![${SIGNS}])`; // \b behind a letter
const APOSTROPHE = "['\\u2019]";
const ENDING = "(?:[sS\\u017f]|[rR][eE]|[vV][eE]|[lL][lL]|[dDmMtT])";
const NOT = `[nN]${APOSTROPHE}[tT]${END}`;
const MARK = "(?:(?![\\u{20000}-\\u{10ffff}])\\p{M})"; // those of the first two planes, which Python's side knows
const SKIN = "[\\u{1f3fb}-\\u{1f3ff}]";
const LETTER = `(?:(?!${NOT})[\\p{L}\\p{N}])`;
const INNER = `(?:${LETTER}|${MARK}|[\\u200c\\u200d])`;
const ADDRESS = `[^${SPACE}<>"]*[^${SPACE}<>".,;:!?'\\u2019()\\[\\]]`;

const WORD = [
  `(?:[hH][tT][tT][pP][sS\\u017f]?|[fF][tT][pP])://${ADDRESS}`, // an address, without signs that end a sentence
  `[wW][wW][wW]\\.${ADDRESS}`,
  `[${SIGNS}.+\\-]{1,64}@[${SIGNS}\\-]{1,63}(?:\\.[${SIGNS}\\-]{1,63})+`,
  `(?<![${SIGNS}])[@#][${LETTERS}_][${SIGNS}]*`, // a user, a topic
  `[:;=]['\\^\\-]?(?:[()\\[\\]\\/\\\\|*@$]+|[DPOdpo]{1,3})${END}|<3+${END}|\\^_+\\^`,
  `(?<![${SIGNS}])[${LETTERS}](?:\\.[${LETTERS}]${END})+\\.?`, // U.S., e.g.
  `${NOT}|${APOSTROPHE}${ENDING}${END}`,
  // A word or number: with hyphens inside, the points of numbers, and apostrophes that begin no contraction.
  `${LETTER}${INNER}*(?:(?:[\\-_]|(?<=\\p{Nd})[.,:\\/](?=\\p{Nd})|${APOSTROPHE}(?!${ENDING}${END})(?=[${LETTERS}]))${LETTER}${INNER}*)*`,
  `[\\u{1f1e6}-\\u{1f1ff}]{2}`, // a flag
  // A run of one sign, or an emoji and what it joins.
  `([^${SIGNS}${SPACE}]|_)\\1*(?:${MARK}|${SKIN})*(?:\\u200d[^${SIGNS}${SPACE}](?:${MARK}|${SKIN})*)*`,
  `[^${SPACE}]`,
];
const PART = [
  `${NOT}|${APOSTROPHE}${ENDING}${END}`,
  `${LETTER}${INNER}*`,
  `[^${SIGNS}${SPACE}](?:${MARK}|${SKIN})*|[^${SPACE}]`,
];
const PATTERNS = { whitespace: [`[^${SPACE}]+`], punctuation: WORD, signs: PART };
const made = new Map();

/** Words {text, start, end}, places in JavaScript's units; split: whitespace, punctuation or signs. */
export function splitWords(text, split) {
  if (!made.has(split)) made.set(split, new RegExp(PATTERNS[split].join("|"), "gu"));
  // Letters in circles are no \w and have a case, the only such: a run of one sign goes on over it.
  const folded = text.replace(/[\u24b6-\u24cf]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 26));
  return Array.from(folded.matchAll(made.get(split)), ({ 0: { length }, index: start }) =>
    ({ text: text.slice(start, start + length), start, end: start + length }));
}
