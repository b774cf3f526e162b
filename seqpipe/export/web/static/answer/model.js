// The exported model: what its reader takes in, an answer out.

import * as ort from "../onnxruntime/ort.js";
import * as classes from "../heads/classes.js";
import * as labels from "../heads/labels.js";
import * as numbers from "../heads/numbers.js";
import * as tags from "../heads/tags.js";
import * as transcripts from "../heads/transcripts.js";
import * as written from "../heads/written.js";
import * as lines from "../readers/lines.js";
import * as recordings from "../readers/recordings.js";
import * as strokes from "../readers/strokes.js";
import * as texts from "../readers/texts.js";
import { download, downloadJson } from "./download.js";

const FOLDER = new URL("../", import.meta.url);
const READERS = { Waveform: recordings, LineImage: lines, PenStrokes: strokes, Tokens: texts };
const HEADS = {
  AttentionHead: written, CTCHead: transcripts, ClassifierHead: classes, MultiLabelHead: labels, RegressionHead: numbers, TaggerHead: tags,
};

const tensor = (type, values, shape) => new ort.Tensor(type, values, shape);

export class Model {
  #session; #graphs; #prepare; #head;

  /** graphs: of the head, sessions by name. */
  constructor(manifest, page, session, graphs) {
    this.manifest = manifest;
    this.page = page;
    this.#session = session;
    this.#graphs = Object.fromEntries(Object.entries(graphs).map(([name, graph]) => [name, (given) =>
      graph.run(Object.fromEntries(graph.inputNames.map((each) => [each, given[each]])))]));
    this.#prepare = READERS[manifest.reader.stage].reader(manifest.reader.options, page);
    this.#head = HEADS[manifest.head.stage];
  }

  /** `onProgress` is given the share of the bytes that are there, 0 to 1. */
  static async load(onProgress) {
    const [manifest, page] = await Promise.all(["model.json", "page.json"].map((name) => downloadJson(new URL(name, FOLDER))));
    const further = Object.keys(manifest.graphs);
    const names = ["onnxruntime/ort.wasm", "model.onnx", ...further.map((name) => manifest.graphs[name].file)];
    const total = names.reduce((sum, name) => sum + page.files[name], 0);
    let loaded = 0;
    const [binary, ...contents] = await Promise.all(names.map((name) => download(new URL(name, FOLDER), (size) => {
      loaded += size;
      onProgress(Math.min(1, loaded / total));
    })));
    ort.env.logLevel = "error";
    ort.env.wasm.numThreads = 1; // several need headers that few static hosts send
    ort.env.wasm.wasmBinary = binary.buffer;
    const sessions = [];
    for (const content of contents) sessions.push(await ort.InferenceSession.create(content, { executionProviders: ["wasm"] }));
    const [session, ...graphs] = sessions;
    return new Model(manifest, page, session, Object.fromEntries(further.map((name, place) => [name, graphs[place]])));
  }

  /** given: see the reader. */
  async answer(given) {
    const { manifest, page } = this, prepared = this.#prepare(given);
    const answer = await this.#head.answer(await this.#run(prepared), { manifest, page, prepared, graphs: this.#graphs, tensor });
    if (!Number.isFinite(answer.confidence)) throw new Error("The model's answer holds values that are no finite numbers.");
    return { ...answer, amount: prepared.amount, warning: prepared.warning };
  }

  /** What the graph gives for the steps that there are: values [T, D], D as size. */
  async #run({ values, shape }) {
    const found = await this.#session.run({
      values: tensor(this.manifest.inputs[0].dtype, values, shape),
      lengths: tensor("int64", BigInt64Array.of(BigInt(shape[1])), [1]),
    });
    const size = found.output.dims[2], steps = Number(found.output_lengths.data[0]);
    const output = found.output.data.slice(0, steps * size);
    Object.values(found).forEach((each) => each.dispose());
    return { values: output, size, steps };
  }
}
