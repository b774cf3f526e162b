import json
from pathlib import Path
from typing import Any

import pytest
import torch

from seqpipe import cli
from seqpipe.errors import ConfigError, InputError
from seqpipe.generation.generate import ends_sentence, generate, stream_text
from seqpipe.generation.run_model import TextModel, load_text_model


def test_what_is_drawn_depends_on_the_seed_alone(model: TextModel) -> None:
    first = generate(model, "to be", n=3, seed=4, max_units=12)
    assert generate(model, "to be", n=3, seed=4, max_units=12) == first
    assert generate(model, "to be", n=1, seed=4, max_units=12) == first[:1]
    assert generate(model, "to be", n=3, seed=5, max_units=12) != first
    assert len({found.text for found in first}) > 1


def test_pieces_make_up_the_text(model: TextModel) -> None:
    for sample in range(3):
        pieces = list(stream_text(model, "to be", sample=sample, seed=2, max_units=15))
        assert "".join(pieces) == generate(model, "to be", n=3, seed=2, max_units=15)[sample].text
        assert all(pieces)


def test_the_prompt_is_what_comes_before(model: TextModel) -> None:
    """Probabilities are those behind the prompt, whatever the temperature."""
    texts = [generate(model, "to be", seed=seed, temperature=0.5, max_units=1)[0] for seed in range(9)]
    found = next(found for found in texts if not found.finished)
    state, total = model.read(model.units_of("to be"), model.initial_state(1)), 0.0
    spelt = [model.text_of([unit], before=True) for unit in range(model.end)]
    for unit in [spelt.index(found.text)]:
        total += float(model.scores_of(state, torch.tensor([unit])))
        state = model.advance(state, torch.tensor([unit]))
    assert found.log_probability == pytest.approx(total, abs=1e-4)


def test_without_temperature_the_likeliest_is_taken(model: TextModel) -> None:
    texts = {generate(model, "be", seed=seed, temperature=0, max_units=6)[0].text for seed in range(3)}
    assert len(texts) == 1
    assert {generate(model, "be", seed=seed, top_k=1, max_units=6)[0].text for seed in range(3)} == texts
    assert {generate(model, "be", seed=seed, top_p=1e-9, max_units=6)[0].text for seed in range(3)} == texts


def test_there_are_no_more_units_than_asked(model: TextModel) -> None:
    for found in generate(model, n=4, max_units=5):
        assert found.units <= 5
        assert found.finished == (found.units < 5) or found.units == 5


class Fixed:
    """A language model that goes on with one text, whatever stands before."""

    end = 99

    def __init__(self, text: str) -> None:
        self.text = text

    def units_of(self, text: str) -> list[int]:
        return [0] * len(text)

    def initial_state(self, count: int) -> Any:
        return (torch.zeros(count, 1),)

    def read(self, units: list[int], state: Any) -> Any:
        return state

    def scores(self, state: Any) -> torch.Tensor:
        found = torch.full((1, 100), -1e9)
        place = int(state[0])
        found[0, place if place < len(self.text) else self.end] = 0.0
        return found

    def advance(self, state: Any, units: torch.Tensor) -> Any:
        return (state[0] + 1,)

    def text_of(self, units: list[int], *, before: bool = False) -> str:
        return "".join(self.text[unit] for unit in units)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("So it is. And more", "So it is."),
        ('"No!" he said', '"No!"'),
        ("3.5 is it. Yes", "3.5 is it."),
        ("no end", "no end"),
        ("Why?\nSo", "Why?"),
        ("A.", "A."),
    ],
)
def test_a_sentence_ends_where_a_reader_would_say_so(text: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seqpipe.generation.generate.TextModel", Fixed)
    found = generate(Fixed(text), "Once. ", stop="sentence")[0]  # type: ignore[arg-type]
    assert found.text == written
    assert found.finished
    assert generate(Fixed(text), "Once. ")[0].text == text  # type: ignore[arg-type]


def test_a_sign_without_a_space_behind_it_ends_nothing_but_in_wide_scripts() -> None:
    assert not ends_sentence("a.", "b")
    assert ends_sentence("好。", "我")
    assert not ends_sentence("", " ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_units": 0}, "max_units"),
        ({"stop": "word"}, "stop"),
        ({"temprature": 1}, "did you mean temperature"),
        ({"n": 0}, "n should be at least 1; received 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str, run: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        generate(run, **options)


def test_a_prompt_of_unknown_characters_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="holds 'é'"):
        stream_text(run, "é")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(list(words))
    found = capsys.readouterr()
    return status, found.out, found.err


def test_the_command_goes_on_with_a_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--prompt", "to be", "--seed", "3", "--max-units", "9", "--n", "2"]
    status, out, _ = said(capsys, "generate", str(run), *options)
    wanted = ["to be" + found.text for found in generate(load_text_model(run), "to be", n=2, seed=3, max_units=9)]
    assert status == 0
    assert out == "\n\n".join(wanted) + "\n"
    status, out, _ = said(capsys, "generate", str(run), *options, "--json")
    assert [json.loads(line)["text"] for line in out.splitlines()] == wanted


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--prompt", "é"], 1, "holds 'é'"),
        (["--n", "0"], 2, "n should be at least 1"),
        (["--top-p", "2"], 2, "top_p"),
        (["to", "be"], 2, "to be: belongs to no option"),
    ],
)
def test_the_command_says_what_is_wrong(
    words: list[str], status: int, message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _, err = said(capsys, "generate", str(run), *words)
    assert found == status
    assert message in err
    assert "Traceback" not in err
