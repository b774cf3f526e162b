// A transcript on the page: words shaded by doubt, a line about one of them, and a table of all.

import { percent } from "./formats.js";

const DOUBTFUL = 0.5; // below this a word is underlined too, for who can't tell shades apart

const HINT = "Point at a word, or go from word to word with the arrow keys, for its place and confidence.";

const [section, words, detail, rows, summary, announcement] =
  ["answer", "words", "detail", "rows", "summary", "announcement"].map((name) => document.getElementById(name));

let tellPart = () => {};

/** `tell` is given the word that a person points at, or null. */
export function onPart(tell) {
  tellPart = tell;
}

/**
 * place, amount: how a place in the input and its size are written. Partial answers are neither announced nor put into
 * the table: both would change under a reader.
 */
export function show(answer, { place, amount, partial = false }) {
  section.hidden = false;
  words.classList.toggle("partial", partial);
  words.replaceChildren(...answer.words.flatMap((word, number) => [wordElement(word, number === 0, place), " "]));
  detail.textContent = answer.words.length ? HINT : "";
  if (partial) return;
  if (!answer.words.length) words.textContent = "(no words were found)";
  rows.replaceChildren(...answer.words.map((word) => row(word, place)));
  summary.textContent = `${amount(answer.amount)}, transcribed in ${answer.took.toFixed(2)} s; ` +
    `all of it is right with a confidence of ${percent(answer.confidence)}.`;
  announcement.textContent = answer.words.length ? `Transcript: ${answer.text}` : "No words were found.";
}

export function clear() {
  section.hidden = true;
  for (const each of [words, rows]) each.replaceChildren();
  for (const each of [summary, announcement]) each.textContent = "";
}

export const shownText = () => [...words.querySelectorAll(".word")].map((each) => each.textContent).join(" ");

function wordElement(word, reachable, place) {
  const element = document.createElement("span");
  element.className = word.confidence < DOUBTFUL ? "word doubtful" : "word";
  element.textContent = word.text;
  element.tabIndex = reachable ? 0 : -1; // one stop of the Tab key; the arrow keys go on from there
  element.style.setProperty("--doubt", (1 - word.confidence).toFixed(3));
  const told = `${word.text}: ${place(word.start)} to ${place(word.end)}, confidence ${percent(word.confidence)}`;
  for (const event of ["focus", "pointerenter", "click"])
    element.addEventListener(event, () => {
      detail.textContent = told;
      tellPart(word);
    });
  element.addEventListener("pointerleave", () => tellPart(null));
  return element;
}

function row(word, place) {
  const line = document.createElement("tr");
  for (const text of [word.text, place(word.start), place(word.end), percent(word.confidence)])
    line.insertCell().textContent = text;
  return line;
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

words.addEventListener("keydown", (event) => {
  const all = [...words.querySelectorAll(".word")], place = all.indexOf(document.activeElement);
  if (!(event.key in STEPS) || place < 0) return;
  event.preventDefault();
  all[place].tabIndex = -1;
  const next = all[Math.min(all.length - 1, Math.max(0, place + STEPS[event.key]))];
  next.tabIndex = 0;
  next.focus();
});
