// One channel of several, as seqpipe/features/speech/channels.py makes it.

const CANCELLED = 0.1, LOST = 0.1, BLOCK = 8192;

/** "mix": their mean, or the loudest where they cancel in more than a tenth of the sound; "first"; "loudest". */
export function toMono(channels, how) {
  if (channels.length === 1 || how === "first") return channels[0];
  const powers = channels.map(power);
  const sums = powers.map(sum);
  const loudest = channels[sums.indexOf(Math.max(...sums))];
  if (how === "loudest") return loudest;
  const mixed = Float32Array.from(channels[0], (_, place) => sum(channels.map((each) => each[place])) / channels.length);
  let lost = 0, all = 0;
  power(mixed).forEach((left, block) => {
    const mean = sum(powers.map((each) => each[block])) / channels.length;
    all += mean;
    if (left < CANCELLED * mean / channels.length) lost += mean;
  });
  return lost > LOST * all ? loudest : mixed;
}

const sum = (values) => values.reduce((one, other) => one + other, 0);

/** Of each block, without its offset, times its length; the last block is the longest. */
function power(samples) {
  const whole = Math.max(1, Math.floor(samples.length / BLOCK));
  return Array.from({ length: whole }, (_, block) => {
    const from = block * BLOCK, to = block === whole - 1 ? samples.length : from + BLOCK;
    let total = 0, squares = 0;
    for (let place = from; place < to; place++) {
      total += samples[place];
      squares += samples[place] ** 2;
    }
    return Math.max(0, squares - total ** 2 / Math.max(1, to - from));
  });
}
