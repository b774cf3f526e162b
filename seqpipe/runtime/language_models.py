"""Language models without torch: n-grams of ARPA files."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from seqpipe.core.files import expand_home
from seqpipe.core.language_model import LanguageModel
from seqpipe.errors import ConfigError, did_you_mean
from seqpipe.language.arpa import holds_arpa
from seqpipe.language.ngram import NGramModel


def read_language_model(name: str) -> LanguageModel:
    """The language model of a file.

    Raises:
        ConfigError: there is none, or it is a network, which needs torch.
        InputError: it can't be read.
    """
    path = expand_home(name)
    if path.is_dir():
        refuse_network(path)
    if not path.exists():
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file{did_you_mean(path.name, siblings)}").within("decoding", "lm")
    if not holds_arpa(path):
        raise ConfigError(f"{path}: should be an ARPA file (.arpa, .arpa.gz)").within("decoding", "lm")
    return NGramModel.load(path)


def refuse_network(path: Path) -> NoReturn:
    """Raise the `ConfigError` that says what to take in the place of a folder."""
    raise ConfigError(
        f"{path}: is a folder; the network of a run needs torch, which exported models do without: take n-grams, in an "
        "ARPA file as `seqpipe estimate-ngram` writes it, or leave it out"
    ).within("decoding", "lm")
