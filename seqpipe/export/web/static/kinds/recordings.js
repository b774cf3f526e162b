// Recordings in, transcripts out: by microphone or as files.

import { decode } from "../audio/decode.js";
import { Live } from "../audio/live.js";
import { Microphone } from "../audio/microphone.js";
import { NO_MICROPHONE_HERE, problemOfFile, problemOfMicrophone, tooLong } from "../audio/problems.js";
import { clear } from "../view/answer.js";
import { onDrop } from "../view/drop.js";
import { clock, seconds } from "../view/formats.js";
import { showLevel } from "../view/level.js";
import { complain, say } from "../view/status.js";
import { show } from "../view/transcript.js";

const [record, file, listening, elapsed] =
  ["record", "file", "listening", "elapsed"].map((name) => document.getElementById(name));
const READY = "Ready.";
const STYLE = { place: seconds, amount: (value) => `${seconds(value)} of sound` };
let model, microphone, live;

export function start(loaded) {
  model = loaded;
  file.addEventListener("change", async () => {
    const [chosen] = file.files;
    if (chosen) await transcribeFile(chosen);
    file.value = ""; // so that the same one can be chosen again
    file.focus();
  });
  onDrop(() => !file.disabled, transcribeFile);
  record.addEventListener("click", () => (microphone ? stop() : listen()));
  enable();
}

function enable({ recording = false, working = false } = {}) {
  record.disabled = working;
  file.disabled = working || recording;
  record.textContent = recording ? "Stop" : "Record";
  record.classList.toggle("recording", recording);
  listening.hidden = !recording;
}

async function answer(channels, rate) {
  say("Transcribing …");
  const found = await model.answer({ channels, rate });
  show(found, STYLE);
  say(READY);
  complain(found.warning);
}

async function transcribeFile(chosen) {
  complain(null);
  clear();
  enable({ working: true });
  say(`Reading ${chosen.name} …`);
  try {
    const sound = await decode(await chosen.arrayBuffer()).catch(() => { throw new Error(problemOfFile(chosen)); });
    const length = sound.channels[0].length / sound.rate;
    if (length > model.page.max_seconds) throw new Error(tooLong(chosen.name, length, model.page.max_seconds));
    await answer(sound.channels, sound.rate);
  } catch (error) {
    say(READY);
    complain(error.message);
  }
  enable();
}

async function listen() {
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
  elapsed.textContent = clock(0);
  enable({ recording: true });
  record.focus();
  say("Listening. Press Stop when you are done.");
  live = new Live(microphone, model, (found) => show(found, { ...STYLE, partial: true }));
}

function heard(samples) {
  if (!microphone) return;
  showLevel(samples);
  elapsed.textContent = clock(microphone.seconds);
  if (microphone.seconds >= model.page.max_seconds) stop();
}

async function stop() {
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
