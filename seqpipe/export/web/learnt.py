"""What stages have learnt beside weights, as plain data for a page."""

from __future__ import annotations

from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from seqpipe.decoding.tag_path import as_bio
from seqpipe.features.text.tokens import Tokens
from seqpipe.heads.attention import AttentionHead
from seqpipe.heads.classifier import ClassifierHead
from seqpipe.heads.ctc import CTCHead
from seqpipe.heads.multi_label import MultiLabelHead
from seqpipe.heads.regression import RegressionHead
from seqpipe.heads.tagger import TaggerHead
from seqpipe.text.limited_units import LimitedUnits
from seqpipe.text.units import SentencePieceUnits, Units
from seqpipe.text.vocabulary import Vocabulary

PageHead = CTCHead | ClassifierHead | MultiLabelHead | RegressionHead | TaggerHead | AttentionHead
"""Heads whose answers a page can make."""


def describe_tokens(tokens: Tokens) -> dict[str, Any]:
    """What texts are looked up in: ``entries`` and ``characters``, numbered from 1 on, or ``subwords``.

    Subwords have a score where SentencePiece may choose them, and None where they are no text: the unknown unit, bytes.
    """
    known = tokens.known
    if isinstance(known, Vocabulary):
        spelt = tokens.tokenization.spelt
        return {"entries": known.entries, "characters": spelt.entries if spelt is not None else None}
    scores, bytes_ = known.scores(), known.bytes()
    pieces = [known.piece(number) for number in range(len(known))]
    return {
        "subwords": {
            "kind": tokens.units,
            "pieces": pieces,
            "scores": [scores.get(piece) for piece in pieces],
            "unknown": known.number("<unk>"),
            "bytes": bytes_ or None,
        }
    }


def describe_head(head: PageHead) -> dict[str, Any]:
    """What answers are made of: units, names of classes, scales, scores of neighbours."""
    match head:
        case CTCHead():
            return {"units": describe_units(head.units)}
        case ClassifierHead() | MultiLabelHead():
            return {"names": head.classes.names}
        case RegressionHead():
            return dict(head.scale.__dict__)
        case TaggerHead():
            names, marks_spans = head.classes.names, head.scheme != "none"
            return {
                "names": names,
                "answers": [as_bio(name) if marks_spans else name for name in names],
                "marks_spans": marks_spans,
                "is_free": head.decoder == "softmax" and not marks_spans,
                "potentials": {name: _numbers(values) for name, values in head.export_arrays().items()},
            }
        case AttentionHead():
            return {"units": describe_units(head.units), "copies": head.copy_unknown}
        case _:
            assert_never(head)


def describe_units(units: Units) -> dict[str, Any]:
    """Pieces by their numbers, which decoding adds up to as `spell` in transcript.js does."""
    is_subwords = isinstance(units, (SentencePieceUnits, LimitedUnits))
    return {
        "pieces": [units.piece(number) for number in range(len(units))],
        "separator": units.separator,
        "unknown": units.number("<unk>") if is_subwords else None,
        "drops_leading_space": is_subwords,
    }


def _numbers(values: NDArray[Any]) -> Any:
    """Lists of numbers, None in the place of minus infinity, which JSON has no word for."""
    found = values.astype(object)
    found[np.isneginf(values)] = None
    return found.tolist()
