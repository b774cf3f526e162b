// A transcript on the page: words shaded by doubt, with their places.

import { present } from "./answer.js";
import { percent } from "./formats.js";
import { reachable } from "./words.js";

const DOUBTFUL = 0.5; // below this a word is underlined too, for who can't tell shades apart
const HINT = "Point at a word, or go from word to word with the arrow keys, for its place and confidence.";

/** place, amount: how a place in the input and its size are written. */
export function show(answer, { place, amount, partial = false }) {
  const { words } = answer;
  present({
    heading: "Transcript",
    words: {
      nodes: words.length || partial ? words.flatMap((word) => [wordElement(word, place), " "]) : ["(no words were found)"],
      hint: HINT,
    },
    hint: "The stronger a word is shaded, the less certain it is.",
    summary: `${amount(answer.amount)}, transcribed in ${answer.took.toFixed(2)} s; ` +
      `all of it is right with a confidence of ${percent(answer.confidence)}.`,
    table: {
      title: "All words with their places",
      columns: ["Word", "From", "To", "Confidence"],
      rows: words.map((word) => [word.text, place(word.start), place(word.end), percent(word.confidence)]),
    },
    said: words.length ? `Transcript: ${answer.text}` : "No words were found.",
    copy: words.map(({ text }) => text).join(" "),
    partial,
  });
}

function wordElement(word, place) {
  const element = document.createElement("span");
  element.classList.toggle("doubtful", word.confidence < DOUBTFUL);
  element.textContent = word.text;
  element.style.setProperty("--doubt", (1 - word.confidence).toFixed(3));
  return reachable(element, `${word.text}: ${place(word.start)} to ${place(word.end)}, confidence ${percent(word.confidence)}`, word);
}
