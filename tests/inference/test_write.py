import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from seqpipe.errors import ConfigError
from seqpipe.heads.transcript import Token, Transcript, Word
from seqpipe.inference.failure import Failure
from seqpipe.inference.write import write_answers

GOOD = Transcript("ä.wav", "grüß dich", 0.5, (Word("grüß", 0.1, 0.2),), (Token("g", 0.1, 0.12345678, 0.25),))
BAD = Failure("b.wav", "missing", "b.wav: no such file")


def test_a_line_an_answer_in_order_and_failures_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "new" / "out.jsonl"
    assert write_answers([GOOD, BAD, GOOD, BAD], str(output)) == (4, {"missing": 2})
    records = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [record["id"] for record in records] == ["ä.wav", "b.wav", "ä.wav", "b.wav"]
    assert records[0]["text"] == "grüß dich"
    assert records[0]["tokens"] == [{"text": "g", "start": 0.1, "end": 0.1235, "confidence": 0.25}]
    assert records[1] == {"id": "b.wav", "error": "missing", "message": "b.wav: no such file"}
    assert "error" not in records[0]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("failed: b.wav: no such file") == 2


def test_a_folder_is_no_output_and_nothing_is_asked_for(tmp_path: Path) -> None:
    asked = []
    with pytest.raises(ConfigError, match=r"is a folder; name a file in it"):
        write_answers((asked.append(answer) for answer in (GOOD, BAD)), str(tmp_path))
    assert asked == []
    assert not Path(f"{tmp_path}.partial").exists()


def test_an_output_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    def answers() -> Iterator[Transcript]:
        yield GOOD
        assert not output.exists()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_answers(answers(), str(output))
    assert not output.exists()
    assert len((tmp_path / "out.jsonl.partial").read_text().splitlines()) == 1  # what there is, is kept
    write_answers([GOOD], str(output))
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_standard_output_gets_the_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    write_answers([GOOD, BAD], "-")
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["ä.wav", "b.wav"]


def test_a_file_name_that_is_no_utf8_can_be_written_and_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = b"caf\xe9.wav".decode("utf-8", "surrogateescape")  # as Python reads such a name
    write_answers([Transcript(name, "é", 1.0, (), ())], str(tmp_path / "out.jsonl"))
    write_answers([Transcript(name, "é", 1.0, (), ())], "-")
    for text in ((tmp_path / "out.jsonl").read_text(encoding="utf-8"), capsys.readouterr().out):
        assert json.loads(text)["id"] == name
        assert json.loads(text)["text"] == "é"
