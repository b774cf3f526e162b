import itertools
import json
import math
from pathlib import Path

import pytest

from seqpipe import cli
from seqpipe.errors import ConfigError, InputError
from seqpipe.generation.reply import best_replies, written_replies
from seqpipe.generation.run_model import TextModel, load_text_model

REPLIES = ["be", "not to be.", "gone", "be "]


def test_replies_are_ranked_by_their_probability_behind_the_message(run: Path) -> None:
    model = load_text_model(run)
    found = best_replies(model, " to be ", REPLIES, n=9)
    assert [reply.log_probability for reply in found] == sorted((r.log_probability for r in found), reverse=True)
    assert {reply.text for reply in found} == {"be", "not to be.", "gone"}
    assert sum(reply.probability for reply in found) == pytest.approx(1.0)
    state = model.read(model.units_of("to be\n"), model.initial_state(1))
    for reply in found:
        assert reply.log_probability == pytest.approx(model.log_probabilities([model.units_of(reply.text)], state)[0])
    assert best_replies(model, "to be", REPLIES, n=1) == found[:1]


def test_what_is_written_freely_is_what_enumeration_finds(run: Path) -> None:
    model: TextModel = load_text_model(run)
    state = model.read(model.units_of("be\n"), model.initial_state(1))
    units = [[*text] for length in (1, 2) for text in itertools.product(range(model.end), repeat=length)]
    every = sorted(
        zip(model.log_probabilities(units, state), map(model.text_of, units), strict=True), key=lambda item: -item[0]
    )
    found = written_replies(model, "be", n=4, beam=1000, max_units=2)
    assert [reply.log_probability for reply in found] == pytest.approx([value for value, _ in every[:4]], abs=1e-4)
    assert [reply.text for reply in found] == [text.strip() for _, text in every[:4]]
    assert found[0].probability == pytest.approx(math.exp(found[0].log_probability))


@pytest.mark.parametrize("message", ["", "  \n"])
def test_an_empty_message_is_refused(message: str, run: Path) -> None:
    with pytest.raises(InputError, match="the message is empty"):
        best_replies(run, message, REPLIES)
    with pytest.raises(InputError, match="the message is empty"):
        written_replies(run, message)


def test_bad_lists_are_refused(run: Path) -> None:
    with pytest.raises(ConfigError, match="received none"):
        best_replies(run, "be", [])
    with pytest.raises(InputError, match="a reply is empty"):
        best_replies(run, "be", ["gone", " "])
    with pytest.raises(InputError, match="holds 'é'"):
        best_replies(run, "be", ["é"])
    with pytest.raises(ConfigError, match="n should be at least 1"):
        best_replies(run, "be", ["be"], n=0)
    with pytest.raises(ConfigError, match="max_units should be at least 1"):
        written_replies(run, "be", max_units=0)


def test_the_command_prints_replies(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "replies.txt").write_text("be\n\ngone\n")
    words = ["reply", str(run), "--message", "to be", "--json"]
    assert cli.main([*words, "--replies", str(tmp_path / "replies.txt")]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {reply["text"] for reply in found} == {"be", "gone"}
    assert cli.main([*words, "--n", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("content", [None, b"\n \n", b"\xff\xfe"])
def test_a_file_without_replies_is_named(
    content: bytes | None, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "replies.txt"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["reply", str(run), "--message", "be", "--replies", str(path)]) == 2
    assert f"--replies {path}" in capsys.readouterr().err
