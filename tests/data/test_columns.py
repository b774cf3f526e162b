import json
from pathlib import Path

import pytest

from seqpipe.config.recipe import DataConfig
from seqpipe.core.suffixes import AUDIO_SUFFIXES
from seqpipe.data.rows import Row
from seqpipe.data.source import read_rows


def row_of(folder: Path, cell: object) -> Row:
    """A row of a manifest that has this in its column of channels."""
    (folder / "rows.jsonl").write_text(json.dumps({"path": "a.wav", "text": "x", "side": cell}))
    (row,) = read_rows("rows.jsonl", DataConfig(channel="side"), suffixes=AUDIO_SUFFIXES, root=folder)
    return row


@pytest.mark.parametrize(
    ("cell", "channel"), [("1", 1), ("2", 2), ("a", 1), ("B", 2), ("", None), (3, 3), (2.0, 2), ("1.0", 1)]
)
def test_a_channel_is_a_number_or_a_letter(cell: object, channel: int | None, tmp_path: Path) -> None:
    row = row_of(tmp_path, cell)
    assert row.input.channel == channel
    assert row.id == ("a.wav" if channel is None else f"a.wav#{channel}")


@pytest.mark.parametrize("cell", ["0", "-1", "C", "1.5", "²", "9" * 5000])
def test_other_channels_are_refused(cell: str, tmp_path: Path) -> None:
    row = row_of(tmp_path, cell)
    assert row.problem is not None
    assert (row.problem.kind, "side should be" in str(row.problem)) == ("bad value", True)
