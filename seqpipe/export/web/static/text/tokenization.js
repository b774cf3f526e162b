// Texts as numbers: the counterpart of seqpipe/features/text/tokenization.py.

import { applyRules } from "./rules.js";
import { wordsOf } from "./space.js";
import { splitWords } from "./splitting.js";
import { Subwords } from "./subwords.js";

const UNKNOWN = 0, MOST_CHARACTERS = 4 * 2 ** 20, MOST_MARKS = 1000;
const PILED = new RegExp(`\\p{M}{${MOST_MARKS + 1}}`, "u");

export class Tokenization {
  #options; #numbers; #spelt; #subwords;

  /** options: of the reader. learnt: see describe_tokens in seqpipe/export/web/learnt.py. */
  constructor(options, learnt) {
    this.#options = options;
    const numbered = (entries) => new Map(entries?.map((entry, place) => [entry, place + 1]));
    if (learnt.subwords) this.#subwords = new Subwords(learnt.subwords);
    this.#numbers = numbered(learnt.entries);
    this.#spelt = numbered(learnt.characters);
  }

  /**
   * {rows: a list of numbers for each step, items: words with places, or null where steps are no words, count: tokens
   * read, truncated: tokens left out}. Throws with what a person can do.
   */
  tokens(text) {
    check(text);
    const { units, text: rules, split, word_pooling: pooling } = this.#options;
    if (units !== "words" && pooling === null) return this.#stretches(applyRules(text, rules));
    const all = splitWords(text, split)
      .filter((item) => !rules.includes("no_punctuation") || applyRules(item.text, rules));
    const items = all.slice(0, this.#allowed(all.length));
    return {
      rows: items.flatMap(({ text: word }) => units === "words" ? [this.#word(word)] : this.#pooled(word)),
      items,
      count: items.length,
      truncated: all.length - items.length,
    };
  }

  /** Characters or units, of a text after the rules. */
  #stretches(text) {
    const all = this.#subwords ? this.#subwords.encode(text) : Array.from(text, (sign) => this.#numbers.get(sign) ?? UNKNOWN);
    const rows = all.slice(0, this.#allowed(wordsOf(text).length ? all.length : 0)).map((number) => [number]);
    return { rows, items: null, count: rows.length, truncated: all.length - rows.length };
  }

  /** A word's number and those of its characters; of a long one of its beginning and end. */
  #word(word) {
    const { characters: width, text: rules } = this.#options, number = this.#numbers.get(applyRules(word, rules)) ?? UNKNOWN;
    let spelt = width ? Array.from(word, (sign) => (this.#spelt.get(sign) ?? UNKNOWN) + 1) : [];
    if (spelt.length > width) {
      const head = Math.floor((width + 1) / 2);
      spelt = [...spelt.slice(0, head), ...spelt.slice(spelt.length - (width - head))];
    }
    return [number, ...spelt, ...Array(width - spelt.length).fill(0)];
  }

  /** A word's units, each beside 1 where the word begins; nothing may be left of a word. */
  #pooled(word) {
    const numbers = this.#subwords.encode(applyRules(word, this.#options.text));
    return (numbers.length ? numbers : [UNKNOWN]).map((number, place) => [number, +!place]);
  }

  /** How many of so many tokens are read. */
  #allowed(count) {
    const { max_length: most, overflow } = this.#options;
    if (!count) throw new Error("Nothing that the model reads is in this text: write a word.");
    if (most !== null && count > most && overflow === "error")
      throw new Error(`The text has ${count} tokens, and this model takes at most ${most}. Shorten it.`);
    return most ?? count;
  }
}

function check(text) {
  if (text.length > MOST_CHARACTERS)
    throw new Error(`The text has ${text.length} characters; ${MOST_CHARACTERS} are allowed at most. Shorten it.`);
  if (text.includes("\0")) throw new Error("The text holds a null character, which no text has. Remove it.");
  if (/\p{Cs}/u.test(text)) throw new Error("The text is not valid Unicode: it holds half of a character. Remove it.");
  if (PILED.test(text)) throw new Error(`The text holds more than ${MOST_MARKS} combining marks in a row. Remove them.`);
}
