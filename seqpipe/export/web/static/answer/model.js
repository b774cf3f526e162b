// The exported model: what its reader takes in, a transcript out.

import * as ort from "../onnxruntime/ort.js";
import * as lines from "../readers/lines.js";
import * as recordings from "../readers/recordings.js";
import * as strokes from "../readers/strokes.js";
import { calibrate } from "./calibration.js";
import { bestPath, penalized, posterior } from "./ctc.js";
import { download, downloadJson } from "./download.js";
import { transcribe } from "./transcript.js";

const FOLDER = new URL("../", import.meta.url);
const READERS = { Waveform: recordings, LineImage: lines, PenStrokes: strokes };

export class Model {
  #session; #reader;

  constructor(manifest, page, session) {
    this.manifest = manifest;
    this.page = page;
    this.#session = session;
    this.#reader = READERS[manifest.reader.stage];
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

  /** given: see the reader. */
  async answer(given) {
    const prepared = this.#reader.prepare(given, this.manifest.reader.options);
    const { values, size } = await this.#run(prepared);
    const { decoding, stride, offset, calibration: { temperature, maps } } = this.manifest;
    const scores = penalized(values, size, decoding.blank_penalty);
    const path = bestPath(scores, size, temperature);
    const answer = {
      ...transcribe(path, this.page.units, (step) => prepared.locate(step * stride + offset)),
      confidence: posterior(scores, size, path.labels, temperature),
      amount: prepared.amount,
      warning: prepared.warning,
    };
    return calibrate(answer, maps);
  }

  /** Log-probabilities [T, V] of the steps that there are. */
  async #run({ values, shape }) {
    const found = await this.#session.run({
      values: new ort.Tensor(this.manifest.inputs[0].dtype, values, shape),
      lengths: new ort.Tensor("int64", BigInt64Array.of(BigInt(shape[1])), [1]),
    });
    const size = found.output.dims[2], steps = Number(found.output_lengths.data[0]);
    const scores = found.output.data.slice(0, steps * size);
    Object.values(found).forEach((tensor) => tensor.dispose());
    return { values: scores, size };
  }
}
