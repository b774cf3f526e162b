"""Hypotheses out of log-probabilities: CTC, CRF, beam search, sampling, spans of tags. Imports core."""
