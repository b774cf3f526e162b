// The page: the model, and what a person gives it.

import { RemoteModel } from "./answer/remote.js";
import { describe } from "./view/about.js";
import { shownText } from "./view/answer.js";
import { complain, say, showProgress } from "./view/status.js";

const KINDS = {
  LineImage: "./kinds/lines.js", PenStrokes: "./kinds/strokes.js", Tokens: "./kinds/texts.js", Waveform: "./kinds/recordings.js",
};

document.getElementById("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(shownText());
    say("Copied.");
  } catch {
    complain("The browser lets this page copy nothing; mark the text and copy it.");
  }
});

try {
  say("Loading the model …");
  const model = await RemoteModel.load(showProgress);
  const { start } = await import(KINDS[model.manifest.reader.stage]);
  describe(model.manifest);
  start(model);
  say("Ready.");
  navigator.serviceWorker?.register("offline.js").catch(() => {}); // without one, the page needs its server
} catch (error) {
  say("");
  complain(`The model can't be used: ${error.message}`);
}
showProgress(null);
