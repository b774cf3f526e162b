"""A trained pipeline over any number of inputs, safely and in order. Imports the pipeline, data and answers."""
