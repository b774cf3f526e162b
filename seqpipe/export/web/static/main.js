// The page: buttons and files in, answers out.

import { RemoteModel } from "./answer/remote.js";
import { decode } from "./audio/decode.js";
import { Microphone } from "./audio/microphone.js";
import { NO_MICROPHONE_HERE, problemOfFile, problemOfMicrophone, tooLong } from "./audio/problems.js";
import { Live } from "./live.js";
import { describe } from "./view/about.js";
import { clear, show, shownText } from "./view/answer.js";
import { clock } from "./view/formats.js";
import { showLevel } from "./view/level.js";
import { complain, say, showProgress } from "./view/status.js";

const [record, file, listening, elapsed, copy] =
  ["record", "file", "listening", "elapsed", "copy"].map((name) => document.getElementById(name));
const READY = "Ready.";
let model, microphone, live;

function enable({ recording = false, working = false } = {}) {
  record.disabled = working;
  file.disabled = working || recording;
  record.textContent = recording ? "Stop" : "Record";
  record.classList.toggle("recording", recording);
  listening.hidden = !recording;
}

async function answer(channels, rate) {
  say("Transcribing …");
  const found = await model.answer(channels, rate);
  show(found);
  say(READY);
  if (found.silent) complain("Nothing is heard in this recording: it is silent. Was the right microphone chosen?");
}

// Files

async function transcribeFile(chosen) {
  complain(null);
  clear();
  enable({ working: true });
  say(`Reading ${chosen.name} …`);
  try {
    const sound = await decode(await chosen.arrayBuffer()).catch(() => { throw new Error(problemOfFile(chosen)); });
    const seconds = sound.channels[0].length / sound.rate;
    if (seconds > model.page.max_seconds) throw new Error(tooLong(chosen.name, seconds, model.page.max_seconds));
    await answer(sound.channels, sound.rate);
  } catch (error) {
    say(READY);
    complain(error.message);
  }
  enable();
}

file.addEventListener("change", async () => {
  const [chosen] = file.files;
  if (chosen) await transcribeFile(chosen);
  file.value = ""; // so that the same one can be chosen again
  file.focus();
});

// Microphone

async function start() {
  complain(null);
  clear();
  if (!navigator.mediaDevices?.getUserMedia) return complain(NO_MICROPHONE_HERE);
  enable({ working: true });
  say("Waiting for the microphone …");
  try {
    microphone = await Microphone.open(heard);
  } catch (error) {
    enable();
    say(READY);
    return complain(problemOfMicrophone(error));
  }
  enable({ recording: true });
  record.focus();
  say("Listening. Press Stop when you are done.");
  live = new Live(microphone, model, (found) => show(found, { partial: true }));
}

function heard(samples) {
  if (!microphone) return;
  showLevel(samples);
  elapsed.textContent = clock(microphone.seconds);
  if (microphone.seconds >= model.page.max_seconds) stop();
}

async function stop() {
  if (!microphone) return;
  const done = microphone;
  microphone = undefined;
  live.end();
  enable({ working: true });
  const { rate } = done;
  await done.close();
  try {
    if (!done.length) throw new Error("The microphone gave no sound. Press Record again, or choose a recording.");
    await answer([done.samples()], rate);
  } catch (error) {
    say(READY);
    complain(error.message);
  }
  enable();
  record.focus();
}

record.addEventListener("click", () => (microphone ? stop() : start()));

// The rest

copy.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(shownText());
    say("Copied.");
  } catch {
    complain("The browser lets this page copy nothing; mark the text and copy it.");
  }
});

for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", kind === "dragover" && !file.disabled);
    const [dropped] = kind === "drop" && !file.disabled ? event.dataTransfer.files : [];
    if (dropped) transcribeFile(dropped);
  });

try {
  say("Loading the model …");
  model = await RemoteModel.load(showProgress);
  describe(model.manifest);
  showProgress(null);
  enable();
  say(READY);
  navigator.serviceWorker?.register("offline.js").catch(() => {}); // without one, the page needs its server
} catch (error) {
  showProgress(null);
  say("");
  complain(`The model can't be used: ${error.message}`);
}
