// Bytes of a file as channels of samples, by the browser's own decoders.

import { DEFAULT_RATE, rateOf } from "./rate.js";

/** -> {channels: [Float32Array], rate}. Throws where the browser can't decode them. */
export async function decode(buffer) {
  const rate = rateOf(new Uint8Array(buffer));
  let context;
  try {
    context = new OfflineAudioContext(1, 1, rate);
  } catch { // a rate that this browser has no contexts of
    context = new OfflineAudioContext(1, 1, DEFAULT_RATE);
  }
  const decoded = await context.decodeAudioData(buffer);
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, number) => decoded.getChannelData(number).slice());
  return { channels, rate: decoded.sampleRate };
}
