// What Tokens prepares: numbers of words, characters or units. See seqpipe/features/text/tokenization.py.

import { Tokenization } from "../text/tokenization.js";

/** What prepares texts {text}, of the reader's options and page.json. */
export function reader(options, page) {
  const tokenization = new Tokenization(options, page.tokens);
  const width = options.characters ? 1 + options.characters : options.word_pooling !== null ? 2 : null;
  return ({ text }) => {
    const { rows, items, count, truncated } = tokenization.tokens(text);
    if (rows.length > page.max_tokens)
      throw new Error(`The text has ${rows.length} tokens; this page takes up to ${page.max_tokens}. Shorten it, or use seqpipe infer.`);
    return {
      values: BigInt64Array.from(rows.flat(), BigInt),
      shape: [1, rows.length, ...(width === null ? [] : [width])],
      items, text, truncated,
      amount: count,
      warning: truncated ? `Of the text's ${count + truncated} tokens the first ${count} are read.` : null,
    };
  };
}
