"""Recipes: their schema, YAML, overrides, search spaces. Imports core."""
