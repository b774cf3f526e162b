"""Stage 4: each owns its targets, loss, hypotheses and scores."""
