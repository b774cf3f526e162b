"""The half of bench_decoding.py that runs in flashlight-text's own environment: python bench_flashlight.py FOLDER."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from flashlight.lib.text import decoder as fl
from flashlight.lib.text.decoder.kenlm import KenLM
from flashlight.lib.text.dictionary import Dictionary

BEAM, THRESHOLD = 50, 50.0
BLANK, SPACE = 0, "|"


def dictionary(entries: list[str], folder: Path) -> Dictionary:
    """Numbers of units or words."""
    path = folder / "entries.txt"
    path.write_text("\n".join(entries) + "\n", encoding="utf-8")
    return Dictionary(str(path))


def make(case: dict[str, Any], given: dict[str, Any], folder: Path) -> tuple[Any, list[Any]]:
    """A decoder, and what must live as long as it does."""
    pieces = ["<blank>", *("▁" if piece == " " else piece.replace(" ", "▁") for piece in given["pieces"])]
    space = pieces.index("▁") if "▁" in pieces else -1
    shared = {"beam_size": BEAM, "beam_size_token": len(pieces), "beam_threshold": THRESHOLD}
    weights = {"lm_weight": case.get("lm_weight", 0.0), "sil_score": 0.0, "log_add": False}
    ctc = fl.CriterionType.CTC
    if "lexicon" not in case:
        units = dictionary(pieces, folder)
        lm = KenLM(case["lm"], units) if "lm" in case else fl.ZeroLM()
        chosen = fl.LexiconFreeDecoderOptions(**shared, **weights, criterion_type=ctc)
        return fl.LexiconFreeDecoder(chosen, lm, space, BLANK, []), [lm, units]
    words = dictionary([*given["words"], "<unk>"], folder)
    lm = KenLM(case["lm"], words)
    trie = fl.Trie(len(pieces), space)
    start = lm.start(False)
    for number, spelling in enumerate(given["words"].values()):
        labels = [pieces.index(piece.replace(" ", "▁")) for piece in spelling]
        _, score = lm.score(start, number)
        trie.insert([*labels, space] if space >= 0 else labels, number, score)
    trie.smear(fl.SmearingMode.MAX)
    chosen = fl.LexiconDecoderOptions(
        **shared, **weights, word_score=case.get("insertion_bonus", 0.0), unk_score=float("-inf"), criterion_type=ctc
    )
    return fl.LexiconDecoder(chosen, trie, lm, space, BLANK, len(given["words"]), [], False), [lm, words, trie]


def main() -> None:
    folder = Path(sys.argv[1])
    given = json.loads((folder / "given.json").read_text(encoding="utf-8"))
    stored = np.load(folder / "emissions.npz")
    rows = [np.ascontiguousarray(stored[name]) for name in stored.files]
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for name, case in given["cases"].items():
            decoder, _kept = make(case, given, Path(place))
            started = time.process_time()
            for row in rows:
                decoder.decode(row.ctypes.data, *row.shape)
            found[name] = (time.process_time() - started) / len(rows) * 1000
    print(json.dumps(found))


if __name__ == "__main__":
    main()
