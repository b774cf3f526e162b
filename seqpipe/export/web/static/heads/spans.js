// Spans of tags: the counterpart of seqpipe/decoding/spans.py, which reads them as conlleval does.

const OUTSIDE = "O", BOUNDARY = "-X-", BILOU = { L: "E", U: "S" };

/** Prefix and type. */
export function splitTag(tag) {
  if (tag === BOUNDARY) return [OUTSIDE, ""];
  const [prefix] = tag.split("-", 1);
  return [BILOU[prefix] ?? prefix, tag.slice(prefix.length + 1)];
}

/** {type, first, stop} of each, in order. */
export function spansOf(tags) {
  const spans = [];
  let previous = [OUTSIDE, ""], first = null;
  [...tags, OUTSIDE].forEach((tag, place) => {
    const current = splitTag(tag);
    if (first !== null && (endsBetween(previous, current) || place === tags.length)) {
      spans.push({ type: previous[1], first, stop: place });
      first = null;
    }
    if (startsBetween(previous, current)) first = place;
    previous = current;
  });
  return spans;
}

const endsBetween = ([prefix, type], [next, other]) =>
  prefix !== OUTSIDE && (["E", "S"].includes(prefix) || ["B", "S", OUTSIDE].includes(next) || type !== other);

const startsBetween = ([prefix, type], [next, other]) =>
  next !== OUTSIDE && (["B", "S"].includes(next) || type !== other ||
    (["I", "E"].includes(next) && ["E", "S", OUTSIDE].includes(prefix)));
