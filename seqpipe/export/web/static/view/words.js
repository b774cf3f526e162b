// Words of an answer that a person goes through one by one, and the line about one of them.

const [words, detail] = ["words", "detail"].map((name) => document.getElementById(name));
let tellPart = () => {};

/** `tell` is given the part that a person points at, or null. */
export function onPart(tell) {
  tellPart = tell;
}

/** An element that can be reached. told: its line. part: what it stands for. */
export function reachable(element, told, part) {
  element.classList.add("word");
  element.tabIndex = -1;
  for (const event of ["focus", "pointerenter", "click"])
    element.addEventListener(event, () => {
      detail.textContent = told;
      tellPart(part);
    });
  element.addEventListener("pointerleave", () => tellPart(null));
  return element;
}

/** Elements and texts between them. hint: how to go from one to the next. */
export function showWords(nodes, hint, isPartial) {
  words.classList.toggle("partial", isPartial);
  words.replaceChildren(...nodes);
  const [first] = all();
  if (first) first.tabIndex = 0; // one stop of the Tab key; the arrow keys go on from there
  detail.textContent = first ? hint : "";
}

const all = () => [...words.querySelectorAll(".word")];
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

words.addEventListener("keydown", (event) => {
  const parts = all(), place = parts.indexOf(document.activeElement);
  if (!(event.key in STEPS) || place < 0) return;
  event.preventDefault();
  parts[place].tabIndex = -1;
  const next = parts[Math.min(parts.length - 1, Math.max(0, place + STEPS[event.key]))];
  next.tabIndex = 0;
  next.focus();
});
