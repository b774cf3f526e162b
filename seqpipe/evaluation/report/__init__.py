"""A run as one HTML page without scripts. Imports evaluation.scores."""
