// What the model is.

export function describe(manifest) {
  const { precision, producer, verification, reader } = manifest;
  const parts = [reader.options.sample_rate ? `Model: ${reader.options.sample_rate / 1000} kHz, ${precision}` : `Model: ${precision}`];
  if (verification.score) parts.push(`${verification.score.toUpperCase()} ${verification.exported_score.toFixed(1)} % on ${verification.rows} rows`);
  document.getElementById("about").textContent = `${parts.join("; ")}. Made with ${producer}, run by ONNX Runtime Web.`;
}
