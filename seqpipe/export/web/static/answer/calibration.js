// Confidences by the maps of the model: the counterpart of seqpipe/core/calibration.py.

const LEAST = 1e-6;

/** An answer whose own confidence is mapped. features: what else speaks for it. */
export const calibrated = (answer, maps, features) => mapped([answer], maps.answers, () => features)[0];

/** Parts with mapped confidences; map may be undefined, features is given a part. */
export const mapped = (parts, map, features) => map
  ? parts.map((part) => ({ ...part, confidence: mapConfidence(part.confidence, map, features?.(part)) }))
  : parts;

/** Beta calibration: a logistic regression over ln p, ln(1 - p) and what else speaks for a part. */
export function mapConfidence(confidence, map, features = {}) {
  const weights = Object.entries(map.features);
  if (map.log_p === 1 && map.log_rest === 1 && !map.intercept && weights.every(([, [weight]]) => !weight)) return confidence;
  let odds = map.log_p * Math.log(Math.max(confidence, LEAST)) - map.log_rest * Math.log(Math.max(1 - confidence, LEAST)) +
    map.intercept;
  for (const [name, [weight, mean]] of weights) if (name in features) odds += weight * (features[name] - mean);
  return 1 / (1 + Math.exp(-odds));
}
