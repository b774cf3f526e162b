// What went wrong with a microphone or a file, and what a person can do.

export const NO_MICROPHONE_HERE =
  "This page may not use a microphone, since it comes over an insecure address. Open it by https:// or on localhost; " +
  "recordings can be chosen anyway.";

const OF_MICROPHONES = {
  NotAllowedError: "The microphone is blocked. Allow it in the browser's settings of this page, and press Record again.",
  NotFoundError: "No microphone was found. Connect one and press Record again, or choose a recording.",
  NotReadableError: "The microphone can't be used: another program may have it. Close that, and press Record again.",
};

export function problemOfMicrophone(error) {
  return OF_MICROPHONES[error.name] ?? `The microphone can't be used: ${error.message || error.name}`;
}

export function problemOfFile(file) {
  if (!file.size) return `${file.name} is empty. Choose another recording.`;
  return `${file.name} can't be decoded by this browser. Choose a recording as WAV, FLAC, MP3, M4A or Ogg.`;
}

export const tooLong = (name, seconds, most) =>
  `${name} takes ${Math.round(seconds)} seconds; this page takes up to ${most}. Cut it, or use seqpipe infer.`;
