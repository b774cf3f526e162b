// White space as Python's str.isspace has it, for which \s has a character too many and some too few.

export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const WORD = new RegExp(`[^${SPACE}]+`, "g");

/** The counterpart of words_of in seqpipe/text/splitting.py. */
export const wordsOf = (text) => text.match(WORD) ?? [];
