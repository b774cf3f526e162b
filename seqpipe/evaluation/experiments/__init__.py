"""Many trainings of a recipe: cross-validation and searches. Imports training and evaluation.scores."""
