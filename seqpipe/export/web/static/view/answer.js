// The answer on the page, in blocks of which each kind of answer fills those that it needs.

import { percent } from "./formats.js";
import { showWords } from "./words.js";

const ANNOUNCED_AFTER = 1000; // ms without another answer, so that a reader of the screen isn't interrupted again and again
const NAMES = ["answer", "answer-title", "headline", "bars", "hint", "summary", "all", "all-title", "columns", "rows", "announcement"];
const [section, title, headline, bars, hint, summary, all, allTitle, columns, rows, announcement] =
  NAMES.map((name) => document.getElementById(name));
let copied = "", timer;

/**
 * heading: of the answer. headline: its main line. shares: [{name, detail, share, chosen}] as bars. words: {nodes, hint}.
 * hint, summary: lines below. table: {title, columns, rows}. said: for who can't see it. copy: text. later: whether it is
 * announced only when no other answer has come for a while. Partial answers are neither announced nor put into the table:
 * both would change under a reader.
 */
export function present({ heading, headline: main = "", shares = [], words, hint: line = "", summary: told = "", table, said, copy, partial = false, later = false }) {
  section.hidden = false;
  setStale(partial);
  title.textContent = heading;
  headline.textContent = main;
  bars.replaceChildren(...shares.map(bar));
  showWords(words?.nodes ?? [], words?.hint ?? "", partial);
  hint.textContent = line;
  copied = copy;
  clearTimeout(timer);
  if (partial) return;
  summary.textContent = told;
  all.hidden = !table;
  if (table) {
    allTitle.textContent = table.title;
    columns.replaceChildren(...table.columns.map(column));
    rows.replaceChildren(...table.rows.map(row));
  }
  const announce = () => { announcement.textContent = said; };
  if (later) timer = setTimeout(announce, ANNOUNCED_AFTER);
  else announce();
}

/** That another answer is on its way. */
export const markStale = () => setStale(true);

function setStale(isStale) {
  section.classList.toggle("stale", isStale);
  section.setAttribute("aria-busy", isStale);
}

export function clear() {
  section.hidden = true;
  clearTimeout(timer);
  showWords([], "", false);
  for (const each of [bars, rows, headline, summary, announcement]) each.replaceChildren();
}

export const shownText = () => copied;

function bar({ name, detail = "", share, chosen = false }) {
  const line = document.createElement("li"), [label, track, value] = ["span", "span", "span"].map((each) => document.createElement(each));
  line.classList.toggle("chosen", chosen);
  label.className = "bar-name";
  label.textContent = name;
  if (detail) {
    const more = document.createElement("span");
    more.className = "bar-detail";
    more.textContent = detail;
    label.append(" ", more);
  }
  track.className = "bar-track";
  track.style.setProperty("--share", share.toFixed(4));
  value.className = "bar-value";
  value.textContent = percent(share);
  line.append(label, track, value);
  return line;
}

function column(text) {
  const cell = document.createElement("th");
  cell.scope = "col";
  cell.textContent = text;
  return cell;
}

function row(texts) {
  const line = document.createElement("tr");
  for (const text of texts) line.insertCell().textContent = text;
  return line;
}
