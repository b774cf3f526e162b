// The exported model: a recording in, a transcript out.

import * as ort from "../onnxruntime/ort.js";
import { resample } from "../audio/resample.js";
import { toMono } from "../audio/mono.js";
import { calibrate } from "./calibration.js";
import { bestPath, penalized, posterior } from "./ctc.js";
import { download, downloadJson } from "./download.js";
import { transcribe } from "./transcript.js";

const FOLDER = new URL("../", import.meta.url);
const SILENCE = 2 ** -14; // between the lowest and the highest sample: two steps of 16 bit

export class Model {
  #session;

  constructor(manifest, page, session) {
    this.manifest = manifest;
    this.page = page;
    this.#session = session;
  }

  /** `onProgress` is given the share of the bytes that are there, 0 to 1. */
  static async load(onProgress) {
    const [manifest, page] = await Promise.all(["model.json", "page.json"].map((name) => downloadJson(new URL(name, FOLDER))));
    const names = ["onnxruntime/ort.wasm", "model.onnx"];
    const total = names.reduce((sum, name) => sum + page.files[name], 0);
    let loaded = 0;
    const [binary, graph] = await Promise.all(names.map((name) => download(new URL(name, FOLDER), (size) => {
      loaded += size;
      onProgress(Math.min(1, loaded / total));
    })));
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // several need headers that few static hosts send
    ort.env.wasm.wasmBinary = binary.buffer;
    return new Model(manifest, page, await ort.InferenceSession.create(graph, { executionProviders: ["wasm"] }));
  }

  /** channels: of one length. rate: theirs. */
  async answer(channels, rate) {
    const options = this.manifest.reader.options, seconds = channels[0].length / rate;
    const samples = resample(toMono(channels, options.channels), rate, options.sample_rate);
    const { values, size } = await this.#run(samples);
    const { temperature, maps } = this.manifest.calibration;
    const scores = penalized(values, size, this.manifest.decoding.blank_penalty);
    const path = bestPath(scores, size, temperature);
    const end = samples.length / options.sample_rate;
    const locate = (step) =>
      Math.min(end, Math.max(0, (step * this.manifest.stride + this.manifest.offset) / options.sample_rate));
    const answer = {
      ...transcribe(path, this.page.units, locate),
      confidence: posterior(scores, size, path.labels, temperature),
      seconds,
      silent: range(samples) <= SILENCE,
    };
    return calibrate(answer, maps);
  }

  /** Log-probabilities [T, V] of the steps that there are. */
  async #run(samples) {
    const found = await this.#session.run({
      values: new ort.Tensor("float32", samples, [1, samples.length]),
      lengths: new ort.Tensor("int64", BigInt64Array.of(BigInt(samples.length)), [1]),
    });
    const size = found.output.dims[2], steps = Number(found.output_lengths.data[0]);
    const values = found.output.data.slice(0, steps * size);
    Object.values(found).forEach((tensor) => tensor.dispose());
    return { values, size };
  }
}

function range(samples) {
  let low = Infinity, high = -Infinity;
  for (const sample of samples) {
    low = Math.min(low, sample);
    high = Math.max(high, sample);
  }
  return high - low;
}
