// How a text is made comparable: the counterpart of seqpipe/text/rules.py.

import { wordsOf } from "./space.js";

const RULES = {
  lowercase: (text) => text.toLowerCase(),
  uppercase: (text) => text.toUpperCase(),
  nfc: (text) => text.normalize("NFC"),
  nfkc: (text) => text.normalize("NFKC"),
  no_punctuation: (text) => text.replace(/\p{P}/gu, ""),
  collapse_spaces: (text) => wordsOf(text).join(" "),
};

export const applyRules = (text, rules) => rules.reduce((found, rule) => RULES[rule](found), text);
