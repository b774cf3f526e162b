"""ARPA files as language models that are found by their names."""

from __future__ import annotations

from seqpipe.core.language_model_files import register_language_model
from seqpipe.language.arpa import holds_arpa
from seqpipe.language.ngram import NGramModel

register_language_model("an ARPA file (.arpa, .arpa.gz)", holds_arpa, NGramModel.load)
