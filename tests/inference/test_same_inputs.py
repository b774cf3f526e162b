import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from seqpipe.inference.same_inputs import differing_inputs, fingerprint_inputs

ARGUMENTS = ["list.tsv", "recordings", "*.wav", "text.txt", "a.wav", "gone.csv", "-", "hub:some/where"]


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The fingerprint of all kinds of arguments, as read back from a file."""
    monkeypatch.chdir(tmp_path)
    Path("list.tsv").write_text("path\na.wav\n")
    Path("text.txt").write_text("one\n")
    Path("recordings").mkdir()
    Path("a.wav").write_bytes(b"RIFF")
    return json.loads(json.dumps(fingerprint_inputs(ARGUMENTS)))


def test_the_same_inputs_do_not_differ(before: dict[str, Any]) -> None:
    assert differing_inputs(before, fingerprint_inputs(iter(ARGUMENTS))) == []
    Path("list.tsv").touch()
    assert differing_inputs(before, fingerprint_inputs(ARGUMENTS)) == []


@pytest.mark.parametrize("name", ["list.tsv", "text.txt"])
def test_a_list_of_other_content_is_named(name: str, before: dict[str, Any]) -> None:
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[:-2] + b"x" + content[-1:])  # as long as it was
    assert differing_inputs(before, fingerprint_inputs(ARGUMENTS)) == [f"{name}: other content than when the run began"]
    Path(name).unlink()
    assert differing_inputs(before, fingerprint_inputs(ARGUMENTS)) == [f"{name}: other content than when the run began"]


def test_other_arguments_are_named(before: dict[str, Any]) -> None:
    (message,) = differing_inputs(before, fingerprint_inputs(["list.tsv", "others", *ARGUMENTS[2:]]))
    assert message == "input 2: was recordings when the run began, and is others now"
    (message,) = differing_inputs(before, fingerprint_inputs(ARGUMENTS[:-1]))
    assert message == "input 8: was hub:some/where when the run began, and is nothing now"
    (message,) = differing_inputs(before, fingerprint_inputs([*ARGUMENTS, "b.wav"]))
    assert message == "input 9: was nothing when the run began, and is b.wav now"


def test_recordings_and_folders_are_not_read(before: dict[str, Any]) -> None:
    Path("recordings/b.wav").write_bytes(b"RIFF")
    Path("a.wav").write_bytes(b"other")
    assert differing_inputs(before, fingerprint_inputs(ARGUMENTS)) == []


def test_a_saved_data_set_is_known_by_its_description(tmp_path: Path) -> None:
    prints = []
    for name, texts in (("first", ["a", "b"]), ("second", ["a", "c"])):
        rows = datasets.Dataset.from_dict({"text": texts})
        datasets.DatasetDict({"train": rows}).save_to_disk(str(tmp_path / name / "set"))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path / name)
            prints.append(fingerprint_inputs(["set"]))
            assert fingerprint_inputs(["set"]) == prints[-1]
    assert differing_inputs(*prints) == ["set: other content than when the run began"]
