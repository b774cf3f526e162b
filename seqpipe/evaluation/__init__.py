"""How well a run does, and comparisons of runs and of recipes. Imports of each room stand in its own line."""
