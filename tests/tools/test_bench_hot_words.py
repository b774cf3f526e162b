"""tools/bench_hot_words.py counts what is found and what is false."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import bench_hot_words


def test_words_that_are_missed_are_found_by_a_great_weight(trained_run: Path, tone_data: Path, tmp_path: Path) -> None:
    """Of every second row another first word is said to have been said, so the model must miss it."""
    lines = [line.split("\t") for line in (tone_data / "dev.tsv").read_text().splitlines()]
    path, text = lines[0].index("path"), lines[0].index("text")
    for number, cells in enumerate(lines[1:]):
        cells[path] = str(tone_data / cells[path])
        first, *others = cells[text].split()
        if number % 2:
            first = first[:-1] + ("a" if first[-1] != "a" else "b")
        cells[text] = " ".join([first, *others])
    (tmp_path / "misheard.tsv").write_text("".join("\t".join(cells) + "\n" for cells in lines))
    first, alone, great = bench_hot_words.measure(
        str(trained_run), data=str(tmp_path / "misheard.tsv"), distractors=3, weights=[0.0, 60.0], missed=True
    )
    assert first["words"] == sum(len(cells[text].split()) for cells in lines[1:])
    assert first["missed"] >= 8
    assert first["of_which_distractors"] == 3
    assert (alone["weight"], great["weight"]) == (0.0, 60.0)
    assert alone["found"] + len(alone["still_missed"]) == first["missed"]
    assert great["found"] > alone["found"], "any price is paid for listed words"
    assert great["false_per_cent"] == round(100 * len(great["false"]) / first["words"], 2)
