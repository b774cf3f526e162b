// The microphone, from the moment that a person allows it until it is closed.

export class Microphone {
  #stream; #context; #node; #blocks = [];
  length = 0; // samples so far

  /** `onBlock` is given each new block. Throws a DOMException where there is no microphone, or no leave to use it. */
  static async open(onBlock) {
    const microphone = new Microphone();
    // As models are trained on what was recorded: a browser's noise suppression would change it. Levels may be changed.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
    microphone.#stream = await navigator.mediaDevices.getUserMedia({ audio });
    try {
      const context = microphone.#context = new AudioContext();
      await context.audioWorklet.addModule(new URL("capture.js", import.meta.url));
      await context.resume();
      const node = microphone.#node = new AudioWorkletNode(context, "capture", { channelCount: 1, channelCountMode: "explicit" });
      node.port.onmessage = ({ data }) => {
        microphone.#blocks.push(data.samples);
        microphone.length += data.samples.length;
        if (!data.last) onBlock(data.samples);
      };
      context.createMediaStreamSource(microphone.#stream).connect(node);
      node.connect(context.destination); // of silence: some browsers run no node that leads nowhere
    } catch (error) {
      await microphone.close();
      throw error;
    }
    return microphone;
  }

  get rate() { return this.#context.sampleRate; }
  get seconds() { return this.length / this.rate; }

  /** All samples so far. */
  samples() {
    const all = new Float32Array(this.length);
    let place = 0;
    for (const block of this.#blocks) {
      all.set(block, place);
      place += block.length;
    }
    return all;
  }

  /** Stop, with what stands in an unfinished block. */
  async close() {
    this.#stream.getTracks().forEach((track) => track.stop());
    if (this.#node) {
      const rest = new Promise((done) => {
        this.#node.port.addEventListener("message", ({ data }) => data.last && done());
        setTimeout(done, 300);
      });
      this.#node.port.postMessage("rest");
      await rest;
    }
    await this.#context?.close();
  }
}
