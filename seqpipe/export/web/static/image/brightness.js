// Colours as brightness.

/** pixels: RGBA, opaque -> {data, width, height}, 0 to 255, by ITU-R 601 as Pillow has it. */
export function brightnessOf({ pixels, width, height }) {
  const data = new Uint8Array(width * height);
  for (let place = 0, at = 0; place < data.length; place++, at += 4)
    data[place] = (19595 * pixels[at] + 38470 * pixels[at + 1] + 7471 * pixels[at + 2] + 0x8000) >> 16;
  return { data, width, height };
}
