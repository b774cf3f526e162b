// The sample rate that a file says it has. decodeAudioData resamples to the rate of its context; decoded at the file's
// own rate, samples are those that other programs read.

export const DEFAULT_RATE = 48000; // of Opus, and of most that is recorded by phones and browsers

/** Hertz by the header of WAV, FLAC, Ogg or MP3; DEFAULT_RATE of other files. */
export function rateOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = (offset, text) => text.length + offset <= bytes.length &&
    [...text].every((sign, place) => bytes[offset + place] === sign.charCodeAt(0));
  if (at(0, "RIFF") && at(8, "WAVE")) return ofWave(view, at) || DEFAULT_RATE;
  if (at(0, "fLaC") && bytes.length > 20) return (bytes[18] << 12 | bytes[19] << 4 | bytes[20] >> 4) || DEFAULT_RATE;
  if (at(0, "OggS")) return ofOgg(view, at) || DEFAULT_RATE;
  return ofMpeg(bytes, at(0, "ID3")) || DEFAULT_RATE;
}

function ofWave(view, at) {
  let place = 12;
  while (place + 16 <= view.byteLength) {
    if (at(place, "fmt ")) return view.getUint32(place + 12, true);
    place += 8 + view.getUint32(place + 4, true) + view.getUint32(place + 4, true) % 2;
  }
  return 0;
}

/** Of the first packet, behind the page's header and its table of segments: Vorbis, or FLAC in Ogg. */
function ofOgg(view, at) {
  if (view.byteLength < 64) return 0;
  const packet = 27 + view.getUint8(26);
  if (at(packet, "\x01vorbis") && packet + 16 <= view.byteLength) return view.getUint32(packet + 12, true);
  if (at(packet, "\x7fFLAC") && packet + 30 <= view.byteLength) return view.getUint32(packet + 26) >>> 12;
  return 0;
}

const MPEG_RATES = [44100, 48000, 32000]; // of version 1; of version 2 a half, of 2.5 a quarter

function ofMpeg(bytes, hasTag) {
  let place = 0;
  if (hasTag && bytes.length > 10) // sizes of tags have seven bits a byte
    place = 10 + (bytes[6] << 21 | bytes[7] << 14 | bytes[8] << 7 | bytes[9]);
  if (place + 3 >= bytes.length || bytes[place] !== 0xff || (bytes[place + 1] & 0xe0) !== 0xe0) return 0;
  const version = bytes[place + 1] >> 3 & 3, layer = bytes[place + 1] >> 1 & 3, rate = bytes[place + 2] >> 2 & 3;
  if (version === 1 || layer === 0 || rate === 3) return 0;
  return MPEG_RATES[rate] / { 3: 1, 2: 2, 0: 4 }[version];
}
