// The model in its worker, as promises.

export class RemoteModel {
  #worker; #waiting = new Map(); #number = 0;
  busy = 0; // answers that are waited for

  /** Resolves when the model can answer. `onProgress`: see Model.load. */
  static load(onProgress) {
    const model = new RemoteModel();
    return new Promise((resolve, reject) => {
      const worker = model.#worker = new Worker(new URL("../worker.js", import.meta.url), { type: "module" });
      worker.onerror = (event) => reject(new Error(event.message || "worker.js can't be run by this browser: update it."));
      worker.onmessage = ({ data }) => {
        if (data.kind === "progress") onProgress(data.share);
        else if (data.kind === "broken") reject(new Error(data.message));
        else if (data.kind === "ready") resolve(Object.assign(model, { manifest: data.manifest, page: data.page }));
        else model.#settle(data);
      };
    });
  }

  #settle({ kind, number, answer, message }) {
    const { resolve, reject } = this.#waiting.get(number);
    this.#waiting.delete(number);
    this.busy--;
    if (kind === "answer") resolve(answer);
    else reject(new Error(message));
  }

  /** given: see the model's reader. Its channels or pixels are handed over: they are empty afterwards. */
  answer(given) {
    this.busy++;
    return new Promise((resolve, reject) => {
      const number = this.#number++;
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, given }, (given.channels ?? (given.pixels ? [given.pixels] : [])).map((each) => each.buffer));
    });
  }
}
