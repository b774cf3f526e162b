// Pictures of lines in, their text out: chosen, dropped, pasted, or taken by a phone's camera.

import { decode } from "../image/decode.js";
import { clear } from "../view/answer.js";
import { onDrop } from "../view/drop.js";
import { complain, say } from "../view/status.js";
import { show } from "../view/transcript.js";
import { onPart } from "../view/words.js";

const [picture, file] = ["picture", "image-file"].map((name) => document.getElementById(name));
const STYLE = {
  place: (value) => `pixel ${Math.round(value)}`,
  amount: ([width, height]) => `${width} × ${height} pixels`,
};
let model, bitmap;

export function start(loaded) {
  model = loaded;
  file.disabled = false;
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (chosen) await read(chosen);
    file.value = "";
    file.focus();
  });
  onDrop(() => !file.disabled, read);
  document.addEventListener("paste", ({ clipboardData }) => {
    const [pasted] = clipboardData.files;
    if (pasted && !file.disabled) read(pasted);
  });
  onPart((part) => bitmap && draw(part));
}

async function read(chosen) {
  complain(null);
  clear();
  file.disabled = true;
  say(`Reading ${chosen.name} …`);
  try {
    const image = await decode(chosen)
      .catch(() => { throw new Error(`${chosen.name} can't be decoded by this browser. Choose a picture as PNG or JPEG.`); });
    bitmap = image.bitmap;
    draw(null);
    const { pixels, width, height } = image;
    const found = await model.answer({ pixels, width, height });
    show(found, STYLE);
    complain(found.warning);
  } catch (error) {
    complain(error.message);
  }
  say("Ready.");
  file.disabled = false;
}

/** The picture, with a part of its columns marked. */
function draw(part) {
  picture.hidden = false;
  [picture.width, picture.height] = [bitmap.width, bitmap.height];
  const context = picture.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  if (!part) return;
  context.globalAlpha = 0.3;
  context.fillStyle = getComputedStyle(picture).getPropertyValue("--accent");
  context.fillRect(part.start, 0, part.end - part.start, bitmap.height);
}
