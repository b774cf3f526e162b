// Texts in SentencePiece units, without SentencePiece: the counterpart of SentencePieceUnits in seqpipe/text/units.py.
//
// The units of seqpipe are learnt with SentencePiece's rule "identity", so there is no table of characters to apply: of a
// text spaces are collapsed, and one is put before it. What SentencePiece computes in single precision is rounded so.

const SPACE_MARK = "\u2581", UNKNOWN_PENALTY = 10;

export class Subwords {
  #numbers; #scores; #unknown; #bytes; #kind; #longest; #unknownScore; #hasMark;

  /** units: see describe_tokens in seqpipe/export/web/learnt.py. */
  constructor({ kind, pieces, scores, unknown, bytes }) {
    this.#kind = kind;
    this.#numbers = new Map();
    pieces.forEach((piece, number) => { if (scores[number] !== null) this.#numbers.set(piece, number); });
    this.#scores = scores;
    this.#unknown = unknown;
    this.#bytes = bytes;
    const known = [...this.#numbers];
    this.#longest = known.reduce((most, [piece]) => Math.max(most, piece.length), 1);
    const least = known.reduce((most, [, number]) => Math.min(most, scores[number]), Infinity);
    this.#unknownScore = Math.fround(least - UNKNOWN_PENALTY);
    this.#hasMark = this.#numbers.has(SPACE_MARK);
  }

  /** Numbers of a text, that of the unknown unit for what the units lack. */
  encode(text) {
    const written = this.#written(text);
    const found = [];
    let before = null;
    for (const piece of this.#kind === "bpe" ? this.#merged(written) : this.#likeliest(written)) {
      const number = this.#numbers.get(piece) ?? this.#unknown;
      if (number !== this.#unknown) found.push(number);
      else if (this.#bytes) new TextEncoder().encode(piece).forEach((byte) => found.push(this.#bytes[byte]));
      else if (before !== this.#unknown) found.push(number); // of unknown units in a row SentencePiece makes one
      before = number;
    }
    return found;
  }

  /** As SentencePiece's normalizer leaves it; no mark of a space that no unit has is anything but a space. */
  #written(text) {
    const collapsed = text.replace(/^ +/, "").replace(/ +/g, " ");
    if (!collapsed) return "";
    const whole = ` ${collapsed}`;
    return (this.#hasMark ? whole : whole.replaceAll(SPACE_MARK, " ")).replace(/ +$/, "");
  }

  /** The likeliest units (Viterbi 1967; Kudo 2018). */
  #likeliest(text) {
    const best = new Float32Array(text.length + 1), from = new Int32Array(text.length + 1).fill(-1);
    for (let start = 0, next; start < text.length; start = next) {
      next = start + (text.codePointAt(start) > 0xffff ? 2 : 1);
      const most = Math.min(text.length, start + this.#longest);
      const reach = (stop, score) => {
        const sum = Math.fround(score + best[start]);
        if (from[stop] >= 0 && sum <= best[stop]) return;
        [best[stop], from[stop]] = [sum, start];
      };
      for (let stop = next; stop <= most; stop++) {
        const number = this.#numbers.get(text.slice(start, stop));
        if (number !== undefined) reach(stop, this.#scores[number]);
        else if (stop === next) reach(stop, this.#unknownScore);
      }
    }
    const pieces = [];
    for (let stop = text.length; stop; stop = from[stop]) pieces.push(text.slice(from[stop], stop));
    return pieces.reverse();
  }

  /** Characters, of which the pair with the greatest score is merged, of equal ones the first (Sennrich et al. 2016). */
  #merged(text) {
    const symbols = Array.from(text), before = symbols.map((_, place) => place - 1);
    const behind = symbols.map((_, place) => place + 1), queue = new Queue();
    const offer = (left, right) => {
      if (left < 0 || right >= symbols.length) return;
      const whole = symbols[left] + symbols[right], number = this.#numbers.get(whole);
      if (number !== undefined) queue.push({ score: this.#scores[number], left, right, whole });
    };
    symbols.forEach((_, place) => offer(place, place + 1));
    for (let top = queue.pop(); top; top = queue.pop()) {
      const { left, right, whole } = top;
      if (!symbols[left] || !symbols[right] || symbols[left] + symbols[right] !== whole) continue; // merged meanwhile
      symbols[left] = whole;
      symbols[right] = "";
      behind[left] = behind[right];
      if (behind[right] < symbols.length) before[behind[right]] = left;
      offer(before[left], left);
      offer(left, behind[left]);
    }
    return symbols.filter((symbol) => symbol);
  }
}

/** Pairs, the greatest score first, of equal ones the leftmost: a heap. */
class Queue {
  #held = [];

  #isBefore(one, other) {
    return one.score > other.score || (one.score === other.score && one.left < other.left);
  }

  push(pair) {
    const held = this.#held;
    let at = held.push(pair) - 1;
    while (at) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(held[at], held[above])) break;
      [held[at], held[above]] = [held[above], held[at]];
      at = above;
    }
  }

  pop() {
    const held = this.#held, top = held[0], last = held.pop();
    if (!held.length) return top;
    held[0] = last;
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let first = at;
      if (left < held.length && this.#isBefore(held[left], held[first])) first = left;
      if (right < held.length && this.#isBefore(held[right], held[first])) first = right;
      if (first === at) return top;
      [held[at], held[first]] = [held[first], held[at]];
      at = first;
    }
  }
}
