// Strokes of a pen in, their text out: as they are written, or as a file.

import { parseStrokes } from "../ink/ink.js";
import { Pad } from "../ink/pad.js";
import { clear } from "../view/answer.js";
import { onDrop } from "../view/drop.js";
import { complain, say } from "../view/status.js";
import { show } from "../view/transcript.js";
import { onPart } from "../view/words.js";

const PAUSE = 400; // ms without the pen before an answer is worked out
const [canvas, undo, empty, file] = ["pad", "undo", "empty", "ink-file"].map((name) => document.getElementById(name));
const STYLE = {
  place: (value) => `point ${Math.round(value)}`,
  amount: (value) => (value === 1 ? "1 stroke" : `${value} strokes`),
};
let model, pad, timer, asked = 0;

export function start(loaded) {
  model = loaded;
  pad = new Pad(canvas, changed);
  undo.addEventListener("click", () => {
    pad.strokes.pop();
    changed();
  });
  empty.addEventListener("click", () => {
    pad.strokes = [];
    changed();
  });
  file.disabled = false;
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (chosen) await read(chosen);
    file.value = "";
  });
  onDrop(() => true, read);
  onPart((part) => pad.mark(part && [part.start, part.end]));
  changed();
}

function changed() {
  pad.mark(null);
  undo.disabled = empty.disabled = !pad.strokes.length;
  clearTimeout(timer);
  asked++;
  if (!pad.strokes.length) return clear();
  timer = setTimeout(() => !pad.isWriting && answer(pad.strokes, true), PAUSE);
}

/** Of strokes, unless others were asked about meanwhile. */
async function answer(strokes, downward) {
  const number = ++asked;
  complain(null);
  try {
    const found = await model.answer({ strokes, downward });
    if (number !== asked) return;
    show(found, STYLE);
    say("Ready.");
  } catch (error) {
    complain(error.message);
  }
}

async function read(chosen) {
  const options = model.manifest.reader.options, downward = options.y === "down";
  let strokes = null;
  try {
    strokes = parseStrokes(JSON.parse(await chosen.text()), options.encoding);
  } catch { // no JSON
  }
  if (!strokes?.flat().length)
    return complain(`${chosen.name} holds no strokes. Choose a JSON file with a list of strokes, each a list [x0, y0, x1, y1, ...].`);
  pad.show(strokes, downward);
  undo.disabled = empty.disabled = false;
  await answer(strokes, downward);
}
