// The level of a microphone, from -60 dB to full scale.

const LOWEST = -60; // decibel

const meter = document.getElementById("level");

export function showLevel(samples) {
  const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
  meter.value = Math.min(1, Math.max(0, 1 - 10 * Math.log10(power + 1e-12) / LOWEST));
}
