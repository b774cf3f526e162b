import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe import ConfigError, CTCHead, PaddedSequence
from seqpipe.core import language_model_files as registry
from seqpipe.core.head import Encoded
from seqpipe.core.language_model import State
from seqpipe.core.language_model_files import register_language_model
from seqpipe.decoding.ctc import label_posteriors
from seqpipe.errors import DataError, SeqpipeError
from seqpipe.heads.ctc_decoding import CTCDecoding

TEXTS = ["turn left", "turn right", "go on", "stop now"]


class Unigrams:
    """Log-probabilities of units by a table of a file, whatever stands before."""

    def __init__(self, path: Path) -> None:
        table = json.loads(path.read_text())
        self.vocabulary = list(table)
        self.scores_ = np.array([*table.values(), -2.0, -9.0], np.float32)  # the end, an unknown one

    def initial_state(self, count: int) -> State:
        return (np.zeros(count),)

    def scores(self, state: State) -> NDArray[np.float32]:
        return np.broadcast_to(self.scores_[:-1], (len(state[0]), len(self.scores_) - 1))

    def scores_of(self, state: State, units: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.scores_[units]

    def advance(self, state: State, units: NDArray[np.int64]) -> State:
        return state


@pytest.fixture(autouse=True)
def unigrams() -> Iterator[None]:
    register_language_model("a table (.unigrams)", lambda path: path.suffix == ".unigrams", Unigrams)
    yield
    del registry._loaders["a table (.unigrams)"]


@pytest.fixture
def head() -> CTCHead:
    """A head whose steps are its own scores: what is encoded are logits."""
    return made()


def made(**options: Any) -> CTCHead:
    probe = CTCHead(input_size=1, **options)
    probe.fit(TEXTS)
    size = probe.output_size
    head = CTCHead(input_size=size, **options)
    head.fit(TEXTS)
    with torch.no_grad():
        head.output.weight.copy_(torch.eye(size))
        head.output.bias.zero_()
    return head.eval()


def spoken(head: CTCHead, text: str, doubts: dict[int, str] | None = None) -> Tensor:
    """Steps in which a text is said, a blank behind each character; in doubt another one is a little likelier."""
    rows = []
    for place, label in enumerate(head.encode_target(text).tolist()):
        row = torch.zeros(head.output_size)
        row[label] = 10.0
        if doubts and place in doubts:
            row[head.encode_target(doubts[place])] = 11.0
        blank = torch.zeros(head.output_size)
        blank[0] = 12.0
        rows += [row, blank]
    return torch.stack(rows)


def texts(head: CTCHead, rows: Sequence[Tensor], columns: Sequence[dict[str, Any]] = (), **options: Any) -> list[str]:
    encoded = Encoded(*PaddedSequence.pad(list(rows))).of_rows(columns)
    found = head.decode(encoded, CTCDecoding(method="beam", **options))
    return [head.answer("row", each, lambda steps: steps * 0.1).text for each in found]


def file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_without_anything_else_it_answers_what_is_said(head: CTCHead) -> None:
    rows = [spoken(head, "turn right"), spoken(head, "go on"), spoken(head, "stop now")]
    assert texts(head, rows) == ["turn right", "go on", "stop now"]
    (found,) = head.decode(PaddedSequence.pad(rows[1:2]), CTCDecoding(method="beam", n_best=3))
    (greedy,) = head.decode(PaddedSequence.pad(rows[1:2]))
    one, other = (head.answer("row", each, lambda steps: steps * 0.1) for each in (found, greedy))
    assert [astuple(word)[:3] for word in one.words] == [astuple(word)[:3] for word in other.words]
    assert [token.confidence for token in one.tokens] == pytest.approx([token.confidence for token in other.tokens])
    assert one.confidence == pytest.approx(other.confidence)


def test_a_lexicon_decides_what_was_misheard(head: CTCHead, tmp_path: Path) -> None:
    rows = [spoken(head, "turn left", {1: "o"}), spoken(head, "go on", {3: "i"})]
    assert texts(head, rows) == ["torn left", "go in"]
    words = file(tmp_path, "words.txt", "turn\nleft\ngo\non\n")
    assert texts(head, rows, lexicon=words) == ["turn left", "go on"]
    assert texts(head, rows, lexicon=words, open_lexicon=True, oov_penalty=0.5) == ["torn left", "go in"]
    assert texts(head, rows, lexicon=words, open_lexicon=True, oov_penalty=3.0) == ["turn left", "go on"]
    spelt = file(tmp_path, "spelt.txt", "turn\tt o r n\nleft\ngo\ti n\ngo\n")
    assert texts(head, rows, lexicon=spelt) == ["torn left", "go in"]


def test_a_language_model_over_words_or_units_decides_too(head: CTCHead, tmp_path: Path) -> None:
    rows = [spoken(head, "turn left", {1: "o"}), spoken(head, "go on")]
    by_words = file(
        tmp_path, "w.unigrams", json.dumps({"turn": -1.0, "left": -1.0, "go": -1.0, "on": -1.0, "TURN": -1})
    )
    assert texts(head, rows, lm=by_words, lm_weight=0.5) == ["turn left", "go on"]
    assert texts(head, rows, lm=by_words, lm_weight=0.01) == ["torn left", "go on"]
    units = {piece.replace(" ", "▁"): -1.0 for piece in map(head.units.piece, range(len(head.units)))}
    by_units = file(tmp_path, "u.unigrams", json.dumps(units | {"o": -4.0}))
    assert texts(head, rows, lm=by_units, lm_weight=0.5)[0] == "turn left"
    lexicon = file(tmp_path, "words.txt", "torn\nleft\ngo\non\n")
    assert texts(head, rows, lm=by_words, lm_weight=2.0, lexicon=lexicon) == ["torn left", "go on"]


def test_hot_words_are_heard_and_nothing_else_changes(head: CTCHead, tmp_path: Path) -> None:
    rows = [spoken(head, "turn left", {1: "o"}), spoken(head, "go on", {3: "i"})]
    assert texts(head, rows, hot_words=["turn left"]) == ["turn left", "go in"]
    assert texts(head, rows, hot_words=file(tmp_path, "hot.txt", "turn\non\n")) == ["turn left", "go on"]
    assert texts(head, rows, hot_words=["tur"]) == ["torn left", "go in"]
    columns = [{"names": "turn; café"}, {"names": None}]
    assert texts(head, rows, columns, hot_words_column="names") == ["turn left", "go in"]
    assert texts(head, rows, columns, hot_words_column="names", hot_words=["on"]) == ["turn left", "go on"]
    assert texts(head, rows[1:], columns[1:], hot_words_column="names") == ["go in"]


def test_a_bonus_makes_more_words(head: CTCHead) -> None:
    row = spoken(head, "go on", {2: "o"})
    assert texts(head, [row]) == ["gooon"]
    assert texts(head, [row], insertion_bonus=3.0) == ["go on"]


def test_the_best_answers_have_scores_and_posteriors(head: CTCHead) -> None:
    row = spoken(head, "go on", {3: "i"})
    encoded = PaddedSequence.pad([row])
    (found,) = head.decode(encoded, CTCDecoding(method="beam", n_best=4, hot_words=["on"]))
    answer = head.answer("row", found, lambda steps: steps * 0.1)
    assert len(answer.alternatives) == 4
    assert [each.text for each in answer.alternatives][:2] == ["go on", "go in"]
    assert answer.text == "go on"
    assert answer.score == answer.alternatives[0].score
    scores = [each.score for each in answer.alternatives]
    assert scores == sorted(scores, reverse=True)
    for each in answer.alternatives:
        (wanted,) = label_posteriors(head(encoded), [head.encode_target(each.text).tolist()])
        assert each.probability == pytest.approx(wanted)
    record = answer.to_json()
    assert record["alternatives"][1].keys() == {"text", "probability", "score"}
    assert record["confidence"] == record["alternatives"][0]["probability"]


def test_subword_units_spell_words_of_lexicons_and_language_models(tmp_path: Path) -> None:
    head = made(units="bpe", vocabulary_size=24)
    rows = [spoken(head, text) for text in TEXTS]
    lexicon = file(tmp_path, "words.txt", "\n".join({word for text in TEXTS for word in text.split()}))
    table = {word: -2.0 for text in TEXTS for word in text.split()}
    lm = file(tmp_path, "w.unigrams", json.dumps(table))
    assert texts(head, rows, lexicon=lexicon, lm=lm, hot_words=["stop now"]) == TEXTS
    units = {head.units.piece(number).replace(" ", "▁"): -2.0 for number in range(len(head.units))}
    del units["<unk>"]
    assert texts(head, rows, lm=file(tmp_path, "u.unigrams", json.dumps(units))) == TEXTS


def test_units_on_the_way_to_others_may_be_lacking_and_are_not_written(tmp_path: Path) -> None:
    head = made(units="bpe", vocabulary_size=24)
    table = {head.units.piece(number).replace(" ", "▁"): -2.0 for number in range(len(head.units))}
    del table["<unk>"]
    longer = next(unit for unit in table if len(unit) > 2)
    row = spoken(head, longer.replace("▁", " ").strip() or longer)
    assert texts(head, [row], lm=file(tmp_path, "all.unigrams", json.dumps(table)), n_best=5)
    letters = {unit: value for unit, value in table.items() if unit != longer}
    options = CTCDecoding(method="beam", lm=file(tmp_path, "few.unigrams", json.dumps(letters)), n_best=20)
    (found,) = head.decode(PaddedSequence.pad([row]), options)
    written = {head.units.piece(label - 1).replace(" ", "▁") for labels, _, _ in found.ranked for label in labels}
    assert longer not in written
    del letters["t"]
    with pytest.raises(ConfigError, match=r"it lacks .*'t'"):
        head.prepare_decoding(CTCDecoding(method="beam", lm=file(tmp_path, "none.unigrams", json.dumps(letters))))
    single = {unit: value for unit, value in table.items() if len(unit) == 1}
    with pytest.raises(ConfigError, match="is over other units than the model writes: it lacks"):
        head.prepare_decoding(CTCDecoding(method="beam", lm=file(tmp_path, "single.unigrams", json.dumps(single))))


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"lm": "missing.unigrams"}, ConfigError, "missing.unigrams: no such file or folder"),
        (
            {"lm": "digits.unigrams"},
            ConfigError,
            "decoding.lm .*digits.unigrams: is over other units.* 0 of its 2 words",
        ),
        ({"lm": "letters.unigrams"}, ConfigError, "decoding.lm .*letters.unigrams: is over other units.* it lacks 'e'"),
        ({"lexicon": "missing.txt"}, ConfigError, "missing.txt: no such file"),
        ({"lexicon": "words.txt"}, DataError, "words.txt, line 2: can't be spelt: 'café' holds .*write its units"),
        ({"lexicon": "spelt.txt"}, DataError, "spelt.txt, line 1: 'on' can't be spelt: the model has no unit 'x'"),
        ({"hot_words": ["on", " "]}, ConfigError, "decoding.hot_words item 2 of 2 is empty"),
        ({"hot_words": ["café"]}, ConfigError, "decoding.hot_words item 1: can't be spelt: 'café' holds"),
        ({"hot_words": "missing.txt"}, ConfigError, "decoding.hot_words .*missing.txt: no such file"),
    ],
)
def test_what_a_search_can_not_use_is_named_before_it(
    head: CTCHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], kind: type, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    file(tmp_path, "digits.unigrams", '{"1": -1.0, "2": -1.0}')
    file(tmp_path, "letters.unigrams", json.dumps(dict.fromkeys([*"▁gilnoprstuw", "f"], -1.0) | {"h": -1.0}))
    file(tmp_path, "words.txt", "on\ncafé\n")
    file(tmp_path, "spelt.txt", "on\to x\n")
    with pytest.raises(SeqpipeError, match=said) as caught:
        head.prepare_decoding(CTCDecoding(method="beam", **options))
    assert isinstance(caught.value, kind)
    head.prepare_decoding(CTCDecoding(**options))  # greedy looks at none of it


def test_a_language_model_in_reading_order_does_not_go_with_display_order(tmp_path: Path) -> None:
    head = made(base_direction="rtl")
    with pytest.raises(ConfigError, match=r"decoding\.lm scores texts as they are read"):
        head.prepare_decoding(CTCDecoding(method="beam", lm=str(tmp_path)))


def test_files_are_read_once(head: CTCHead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = file(tmp_path, "w.unigrams", json.dumps({"turn": -1.0, "left": -1.0}))
    lexicon = file(tmp_path, "words.txt", "turn\nleft\n")
    row = spoken(head, "turn left")
    assert texts(head, [row], lm=lm, lexicon=lexicon) == ["turn left"]
    for path in (lm, lexicon):
        Path(path).unlink()
    assert texts(head, [row], lm=lm, lexicon=lexicon) == ["turn left"]


def test_a_batch_is_its_rows(head: CTCHead, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = [3 * torch.randn(length, head.output_size, generator=generator) for length in (30, 9, 17)]
    options = CTCDecoding(method="beam", hot_words=["turn"], n_best=3, beam=20)
    emissions, scorer = head(PaddedSequence.pad(rows)), head.prefix_scorer(options)
    alone = [
        head._search(PaddedSequence(emissions.values[i : i + 1, : len(row)], torch.tensor([len(row)])), options, scorer)
        for i, row in enumerate(rows)
    ]
    whole = head._search(emissions, options, scorer)
    for one, (other,) in zip(whole, alone, strict=True):
        assert [item[::2] for item in one.ranked] == [item[::2] for item in other.ranked]  # labels, scores: to the bit
        assert one.path == other.path
