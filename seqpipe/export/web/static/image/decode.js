// The bytes of a picture as pixels, by the browser's own decoders.

/** -> {bitmap, pixels, width, height}: RGBA on white, turned as the file says. Throws where it can't be decoded. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const { width, height } = bitmap, canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  return { bitmap, pixels: context.getImageData(0, 0, width, height).data, width, height };
}
