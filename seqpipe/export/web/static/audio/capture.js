// An AudioWorklet that hands on what the microphone gives, in blocks.

const BLOCK = 2048;

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
    this.port.onmessage = () => { // asked to hand on what there is
      this.port.postMessage({ samples: this.block.slice(0, this.filled), last: true });
      this.filled = 0;
    };
  }

  process([[channel]]) {
    for (const sample of channel ?? []) {
      this.block[this.filled++] = sample;
      if (this.filled === BLOCK) {
        this.port.postMessage({ samples: this.block.slice() });
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
