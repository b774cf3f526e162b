// What the model is.

const PLAIN = ["bleu", "mae"]; // scores that are no percentages

export function describe(manifest) {
  const { decoding, head, precision, producer, verification, reader } = manifest;
  const parts = [reader.options.sample_rate ? `Model: ${reader.options.sample_rate / 1000} kHz, ${precision}` : `Model: ${precision}`];
  const { score, exported_score: value, rows } = verification;
  const isSearched = head.stage === "AttentionHead" && decoding.method === "beam";
  if (score) {
    const name = score.length > 4 ? score.replaceAll("_", " ") : score.toUpperCase(), how = isSearched ? " by beam search, where this page writes greedily" : "";
    parts.push(`${name} ${value.toFixed(1)}${PLAIN.includes(score) ? "" : " %"} on ${rows} rows${how}`);
  }
  document.getElementById("about").textContent = `${parts.join("; ")}. Made with ${producer}, run by ONNX Runtime Web.`;
}
