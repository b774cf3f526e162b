// A transcript on the page: words shaded by doubt, a line about one of them, and a table of all.

import { percent, seconds } from "./formats.js";

const DOUBTFUL = 0.5; // below this a word is underlined too, for who can't tell shades apart

const HINT = "Point at a word, or go from word to word with the arrow keys, for its time and confidence.";

const [section, words, detail, rows, summary, announcement] =
  ["answer", "words", "detail", "rows", "summary", "announcement"].map((name) => document.getElementById(name));

/** Partial answers are neither announced nor put into the table: both would change under a reader. */
export function show(answer, { partial = false } = {}) {
  section.hidden = false;
  words.classList.toggle("partial", partial);
  words.replaceChildren(...answer.words.flatMap((word, place) => [wordElement(word, place === 0), " "]));
  detail.textContent = answer.words.length ? HINT : "";
  if (partial) return;
  if (!answer.words.length) words.textContent = "(no words were found)";
  rows.replaceChildren(...answer.words.map(row));
  summary.textContent = `${seconds(answer.seconds)} of sound, transcribed in ${seconds(answer.took)}; ` +
    `all of it is right with a confidence of ${percent(answer.confidence)}.`;
  announcement.textContent = answer.words.length ? `Transcript: ${answer.text}` : "No words were found.";
}

export function clear() {
  section.hidden = true;
  for (const each of [words, rows]) each.replaceChildren();
  for (const each of [summary, announcement]) each.textContent = "";
}

export const shownText = () => [...words.querySelectorAll(".word")].map((each) => each.textContent).join(" ");

function wordElement(word, reachable) {
  const element = document.createElement("span");
  element.className = word.confidence < DOUBTFUL ? "word doubtful" : "word";
  element.textContent = word.text;
  element.tabIndex = reachable ? 0 : -1; // one stop of the Tab key; the arrow keys go on from there
  element.style.setProperty("--doubt", (1 - word.confidence).toFixed(3));
  const told = `${word.text}: ${seconds(word.start)} to ${seconds(word.end)}, confidence ${percent(word.confidence)}`;
  for (const event of ["focus", "pointerenter", "click"]) element.addEventListener(event, () => { detail.textContent = told; });
  return element;
}

function row(word) {
  const line = document.createElement("tr");
  for (const text of [word.text, seconds(word.start), seconds(word.end), percent(word.confidence)])
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
