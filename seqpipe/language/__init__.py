"""Language models of n-grams: their files, their estimation, their probabilities. Imports core and text."""
