import os
from pathlib import Path
from typing import Any

import pytest

from seqpipe.answers.tagging import Tagging
from seqpipe.answers.transcript import Transcript
from seqpipe.core.measure import PIXELS, POINTS, TOKENS, Measure, seconds
from seqpipe.errors import ConfigError
from seqpipe.inference.formats.choose import (
    ENDINGS,
    FOLDERS,
    PAGES,
    RECORDINGS,
    check_format,
    check_place,
    choose_format,
)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("output", "wanted", "kind"),
    [
        ("a.jsonl", None, "jsonl"),
        ("new/a.NDJSON", None, "jsonl"),
        ("a.b.json", None, "jsonl"),
        ("-", None, "jsonl"),
        ("-", "jsonl", "jsonl"),
        ("a.csv", None, "csv"),
        ("a.Parquet", None, "parquet"),
        ("a.pq", None, "parquet"),
        ("a.txt", "csv", "csv"),
        ("a", "parquet", "parquet"),
        ("a.conll", None, "columns"),
        ("a.tsv", "columns", "columns"),
        ("subtitles/", "srt", "srt"),
        ("subtitles", "ctm", "ctm"),
        ("odd.srt/", "ctm", "ctm"),
    ],
)
def test_by_what_is_wanted_else_by_the_ending(output: str, wanted: str | None, kind: str) -> None:
    assert choose_format(output, wanted) == kind
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("output", "wanted", "said"),
    [
        ("a.txt", None, r"a.txt: its ending says no format; known: .jsonl, .*\.col; or give --format jsonl\|csv"),
        ("a", None, "its ending says no format"),
        ("a.jsonl.gz", None, "its ending says no format"),
        ("a.jsonl", "cvs", "--format cvs: is not known; did you mean csv?"),
        ("talk.srt", None, r"name a folder: --format srt --output talk/"),
        ("talk.ctm", "ctm", r"name a folder: --format ctm --output talk/"),
        ("a.parquet", "csv", "the name says parquet"),
        ("a.csv", "srt", "the name says csv"),
        ("talk.srt", "csv", "the name says srt"),
        ("-", "csv", r"standard output gets JSON lines.*name a file"),
        ("-", "srt", "name a folder"),
        ("answers/", None, "is a folder; name a file in it, or give --format srt"),
        ("answers/", "jsonl", "is a folder; name a file in it"),
    ],
)
def test_a_name_and_a_format_that_do_not_go_together(output: str, wanted: str | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_format(output, wanted)


def fits(output: str, kind: str) -> str:
    """The format, if there is a place for it too."""
    chosen = choose_format(output, kind)
    check_place(Path(output), chosen)
    return chosen


@pytest.mark.parametrize("kind", ENDINGS)
def test_what_is_there_already(kind: str) -> None:
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/file").write_text("kept")
    in_folder = kind in FOLDERS
    with pytest.raises(ConfigError, match="the folder is not empty" if in_folder else "is a folder; name a file"):
        fits("full", kind)
    with pytest.raises(ConfigError, match="is a file, not a folder"):
        fits("full/file/new/out", kind)
    with pytest.raises(ConfigError, match="is a file; " if in_folder else "is no regular file"):
        fits("full/file" if in_folder else os.devnull, kind)
    assert fits("empty" if in_folder else "full/file", kind) == kind
    with pytest.raises(ConfigError, match="is a folder" if not in_folder else "is not empty"):
        fits(".", kind)


def test_the_folder_that_one_stands_in_is_not_replaced() -> None:
    with pytest.raises(ConfigError, match="can't be replaced; name a new one in it"):
        fits(".", "srt")


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_transcript_can_be_written_in_every_format_but_of_tags_and_tags_in_those_without_times(kind: str) -> None:
    for prediction, lacking in ((Transcript, {"columns": "tags"}), (Tagging, dict.fromkeys(RECORDINGS, "times"))):
        if kind in PAGES and prediction is Tagging:
            with pytest.raises(ConfigError, match=f"--format {kind}: needs transcriptions, .*answers with"):
                check_format(kind, prediction, seconds(16_000))
            continue
        if kind not in lacking:
            check_format(kind, prediction, seconds(16_000))
            continue
        with pytest.raises(ConfigError, match=rf"--format {kind}: needs words with {lacking[kind]}, .*answers with"):
            check_format(kind, prediction, seconds(16_000))


@pytest.mark.parametrize("measure", [PIXELS, POINTS, TOKENS], ids=lambda measure: measure.name)
def test_places_that_are_no_seconds_are_no_times(measure: Measure) -> None:
    for kind in ENDINGS.keys() - {"columns"}:
        if kind in RECORDINGS:
            with pytest.raises(
                ConfigError, match=f"--format {kind}: needs words with times in seconds, .*{measure.name}s; --"
            ):
                check_format(kind, Transcript, measure)
        else:
            check_format(kind, Transcript, measure)


def test_a_prediction_without_times_is_no_subtitle(reading: type) -> None:
    for kind in ("jsonl", "csv", "parquet"):
        check_format(kind, reading, seconds(16_000))
    for kind, what in (("srt", "times"), ("ctm", "times"), ("columns", "tags")):
        for prediction in (reading, dict):
            with pytest.raises(ConfigError, match=f"--format {kind}: needs words with {what}.*{prediction.__name__}"):
                check_format(kind, prediction, seconds(16_000))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("annotations", "said"),
    [
        ({"id": str, "error": float}, r"Made\.error: the column of this name holds what failed"),
        ({"id": int}, "have no id that is a text"),
        (None, "are no dataclass"),
    ],
)
def test_a_prediction_that_is_no_row_of_a_table(kind: str, annotations: dict[str, Any] | None, said: str) -> None:
    from dataclasses import make_dataclass

    made = type("Made", (), {}) if annotations is None else make_dataclass("Made", list(annotations.items()))
    with pytest.raises(ConfigError, match=said):
        check_format(kind, made, seconds(16_000))
