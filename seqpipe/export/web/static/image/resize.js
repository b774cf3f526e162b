// Brightness {data, width, height} at another size, as Pillow scales images of 8 bits.

const REDUCING_GAP = 3; // times the size that an image is first reduced to by a whole factor
const FILTERS = {
  hamming: (x) => (x === 0 ? 1 : Math.abs(x) >= 1 ? 0 : Math.sin(Math.PI * x) / (Math.PI * x) * (0.54 + 0.46 * Math.cos(Math.PI * x))),
  bilinear: (x) => Math.max(0, 1 - Math.abs(x)),
};

/** Smaller by a filter without negative lobes, or larger by lines between neighbours. */
export function resize(image, width, height) {
  if (image.width === width && image.height === height) return image;
  const filter = FILTERS[height <= image.height ? "hamming" : "bilinear"];
  const [byX, byY] = [[image.width, width], [image.height, height]].map(([from, to]) => Math.trunc(from / to / REDUCING_GAP) || 1);
  const [boxWidth, boxHeight] = [image.width / byX, image.height / byY];
  const reduced = reduce(image, byX, byY);
  // Along rows, then along columns, rounded to whole numbers in between.
  return transposed(scaled(transposed(scaled(reduced, boxWidth, width, filter)), boxHeight, height, filter));
}

/** Means of blocks; at the ends, of what there is of them. */
export function reduce({ data, width, height }, byX, byY) {
  if (byX === 1 && byY === 1) return { data, width, height };
  const found = { width: Math.ceil(width / byX), height: Math.ceil(height / byY) };
  found.data = new Uint8Array(found.width * found.height);
  for (let row = 0; row < found.height; row++)
    for (let column = 0; column < found.width; column++) {
      const right = Math.min(width, (column + 1) * byX), bottom = Math.min(height, (row + 1) * byY);
      let sum = 0;
      for (let y = row * byY; y < bottom; y++) for (let x = column * byX; x < right; x++) sum += data[y * width + x];
      found.data[row * found.width + column] = Math.floor(sum / ((right - column * byX) * (bottom - row * byY)) + 0.5);
    }
  return found;
}

/** Rows of another length. box: how much of them, from their beginning, becomes the whole. */
function scaled({ data, width, height }, box, size, filter) {
  if (box === size && width === size) return { data, width, height };
  const scale = box / size, support = Math.max(scale, 1), found = new Uint8Array(size * height);
  for (let column = 0; column < size; column++) {
    const centre = (column + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5)), last = Math.min(width, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: last - first }, (_, place) => filter((place + first - centre + 0.5) / support));
    const total = weights.reduce((one, other) => one + other, 0);
    for (let row = 0; row < height; row++) {
      let sum = 0;
      weights.forEach((weight, place) => { sum += weight * data[row * width + first + place]; });
      found[row * size + column] = Math.min(255, Math.max(0, Math.floor(sum / total + 0.5)));
    }
  }
  return { data: found, width: size, height };
}

export function transposed({ data, width, height }) {
  const found = new Uint8Array(data.length);
  for (let row = 0; row < height; row++) for (let column = 0; column < width; column++) found[column * height + row] = data[row * width + column];
  return { data: found, width: height, height: width };
}
