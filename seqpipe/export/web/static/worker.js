// The model in a thread of its own, so that the page never stands still.

import { Model } from "./answer/model.js";

let model;

const say = (message) => postMessage(message);

self.onmessage = async ({ data: { number, given } }) => {
  try {
    const began = performance.now();
    const answer = await model.answer(given);
    say({ kind: "answer", number, answer: { ...answer, took: (performance.now() - began) / 1000 } });
  } catch (error) {
    say({ kind: "failure", number, message: error.message });
  }
};

try {
  model = await Model.load((share) => say({ kind: "progress", share }));
  say({ kind: "ready", manifest: model.manifest, page: model.page });
} catch (error) {
  say({ kind: "broken", message: error.message });
}
