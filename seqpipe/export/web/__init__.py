"""A page in which a model is used in a browser: what is written beside an exported model."""
