"""Texts: tokens, embeddings, characters, affixes, n-grams, files of word vectors."""
