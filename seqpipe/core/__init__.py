"""The contracts that everything rests on: stages, heads, metrics, what passes between them. Imports errors alone."""
