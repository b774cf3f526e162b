// Texts in, as a person types them; answers out.

import { clear, markStale, present } from "../view/answer.js";
import { complain, say } from "../view/status.js";
import { PRESENTED } from "../view/text_answers.js";

const PAUSE = 200; // ms without a key before an answer is worked out
const [field, empty] = ["text", "clear-text"].map((name) => document.getElementById(name));
let model, timer, answered = "", isAnswering = false;

export function start(loaded) {
  model = loaded;
  field.disabled = false;
  field.addEventListener("input", changed);
  empty.addEventListener("click", () => {
    field.value = "";
    changed();
    field.focus();
  });
  if (field.value) changed(); // that the browser has kept
}

function changed() {
  empty.disabled = !field.value;
  answered = "";
  clearTimeout(timer);
  if (field.value.trim()) {
    markStale();
    timer = setTimeout(answer, PAUSE);
  } else {
    clear();
    complain(null);
  }
}

/** Of what stands there, and of what has come meanwhile: one after the other, so that no answer overtakes another. */
async function answer() {
  if (isAnswering) return;
  isAnswering = true;
  while (field.value.trim() && field.value !== answered) {
    const text = answered = field.value;
    try {
      const found = await model.answer({ text });
      if (field.value.trim()) show(found, text, field.value !== text);
    } catch (error) {
      if (field.value !== text) continue;
      clear();
      complain(error.message);
    }
  }
  isAnswering = false;
}

function show(found, text, partial) {
  const { manifest: { head }, page } = model, tokens = found.amount === 1 ? "1 token" : `${found.amount} tokens`;
  present({
    ...PRESENTED[head.stage](found, text, page.head),
    summary: `${tokens}, answered in ${found.took.toFixed(2)} s.`,
    partial,
    later: true,
  });
  complain(found.warning);
  say("Ready.");
}
