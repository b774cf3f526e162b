import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import seqpipe
from seqpipe import cli
from seqpipe.config.recipe import load_recipe
from seqpipe.errors import ConfigError, DataError
from seqpipe.evaluation.report.compare_page import write_comparison
from seqpipe.evaluation.scores.compare import compare, recipe_differences
from seqpipe.evaluation.scores.compare_table import render_comparison

Relabel = Callable[[Callable[[int, str], str]], Path]


@pytest.fixture(scope="module")
def worse_run(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained run, but it never says b; and its recipe has another seed."""
    folder = tmp_path_factory.mktemp("runs") / "worse"
    pipeline = seqpipe.Pipeline.load(trained_run)
    with torch.no_grad():
        pipeline.head.output.bias[pipeline.head.encode_target("b")] -= 1000
    pipeline.recipe.training.seed = 7
    pipeline.save(folder)
    return folder


def test_the_run_without_b_is_found_to_be_worse(trained_run: Path, worse_run: Path) -> None:
    found = compare([trained_run, worse_run], device="cpu")
    assert found.names == ["tones", "worse"]
    assert found.evaluations[0].scores["wer"] == 0.0
    with_b = [index for index, row in enumerate(found.evaluations[0].rows) if "b" in row.target]
    assert 3 < len(with_b) < 16
    wer = found.differences[0]["wer"]
    assert (wer.first, wer.second) == (0.0, found.evaluations[1].scores["wer"])
    assert 0 < wer.interval[0] <= wer.second <= wer.interval[1]
    assert wer.p_value < 0.05
    assert set(found.changed[0].values()) == {(0, len(with_b))}
    assert sorted(found.most_different(100)) == with_b
    assert found.recipes == {"training.seed": [1, 7]}
    assert found.facts["parameters"][0] == found.facts["parameters"][1] > 1000
    assert found.facts["seconds"][1] == "–"  # it was never trained


def test_the_second_run_beside_itself_under_another_name(worse_run: Path, tmp_path: Path) -> None:
    shutil.copytree(worse_run, tmp_path / "again")
    found = compare([worse_run, tmp_path / "again"], device="cpu")
    assert {difference.p_value for difference in found.differences[0].values()} == {1.0}
    assert found.most_different() == []
    assert found.recipes == {}
    text = render_comparison(found)
    assert "the recipes are the same" in text
    assert "rows that differ most" not in text


def test_the_table_and_the_json_say_the_same(trained_run: Path, worse_run: Path) -> None:
    found = compare([trained_run, worse_run], device="cpu")
    record = json.loads(json.dumps(found.to_json()))
    wer = record["differences"]["worse"]["wer"]
    assert wer["second"] == pytest.approx(record["runs"]["worse"]["wer"], abs=1e-4)
    assert record["recipes"] == {"training.seed": {"tones": 1, "worse": 7}}
    line = next(line.split() for line in render_comparison(found).splitlines() if line.startswith("worse  WER"))
    assert float(line[2]) == pytest.approx(wer["second"], abs=0.01)
    assert line[-2:] == [str(wer["rows_better"]), str(wer["rows_worse"])]


def test_three_runs_are_compared_with_the_first(trained_run: Path, worse_run: Path, tmp_path: Path) -> None:
    shutil.copytree(worse_run, tmp_path / "worse")  # the same name: told apart by path
    runs = [trained_run, worse_run, tmp_path / "worse"]
    found = compare(runs, device="cpu")
    assert found.names == [str(run) for run in runs]
    assert found.differences[0] == found.differences[1]
    assert "not corrected for the number of runs" in render_comparison(found)


def other_rows(trained_run: Path, folder: Path, **data: Any) -> Path:
    pipeline = seqpipe.Pipeline.load(trained_run)
    for key, value in data.items():
        setattr(pipeline.recipe.data, key, value)
    pipeline.save(folder)
    return folder


def test_runs_that_do_not_score_the_same_rows_are_refused(
    trained_run: Path, tone_data: Path, relabel: Relabel, tmp_path: Path
) -> None:
    few = other_rows(trained_run, tmp_path / "few", dev="few.tsv")
    with pytest.raises(DataError, match=r"few doesn't score the same rows as tones: 24 rows of .*few\.tsv, and 16 of"):
        compare([trained_run, few], device="cpu")
    texts = relabel(lambda index, text: "c" if index == 3 else text)
    other = other_rows(trained_run, tmp_path / "other", dev=str(texts))
    with pytest.raises(DataError, match=r"dev\.tsv, row 4 \(dev-003\) has 'c', and .*row 4 \(dev-003\) has "):
        compare([trained_run, other], device="cpu")
    compare([trained_run, other], str(tone_data / "dev.tsv"), device="cpu")  # with --data they can be compared

    texts.write_text(texts.read_text().replace("/002.wav", "/003.wav"))
    lines = (tone_data / "dev.tsv").read_text().splitlines()[1:]
    texts.write_text(
        "\n".join(["path\tname\ttext"] + [f"{tone_data}/{line}".replace("/002.wav", "/003.wav") for line in lines])
        + "\n"
    )
    with pytest.raises(DataError, match=r"row 3 \(dev-002\) has .*, from another input; give --data"):
        compare([trained_run, other], device="cpu")


def test_the_same_rows_by_another_path_are_the_same(trained_run: Path, tone_data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tone_data)
    linked = other_rows(trained_run, tmp_path / "linked", root=str(tmp_path / "link"))
    found = compare([trained_run, linked], device="cpu")
    assert found.recipes == {"data.root": [str(tone_data), str(tmp_path / "link")]}


def test_too_few_runs_or_one_twice_are_refused(trained_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"two runs or more; received 1"):
        compare([trained_run])
    with pytest.raises(ConfigError, match=r"each run should be given once"):
        compare([trained_run, trained_run])
    assert cli.main(["compare", str(trained_run)]) == 2


def test_other_rules_of_comparing_are_told(trained_run: Path, tmp_path: Path) -> None:
    pipeline = seqpipe.Pipeline.load(trained_run)
    pipeline.recipe.pipeline.head.options["text"] = ["lowercase"]
    pipeline.save(tmp_path / "lower")
    (notice,) = compare([trained_run, tmp_path / "lower"], device="cpu").notices
    assert "tones: text as it stands; lower: lower case" in notice


def test_differences_of_recipes_go_by_key_paths(tone_data: Path) -> None:
    recipe = tone_data / "tones.yaml"
    one = load_recipe(recipe)
    other = load_recipe(recipe, ["pipeline.features.LogMel.n_mels=20", "pipeline.frontend=null"])
    found = recipe_differences([one, other, one])
    assert found["pipeline.features.LogMel.n_mels"] == [12, 20, 12]
    assert found["pipeline.frontend.channels"] == [[24], "–", [24]]
    assert not any(key.startswith("training") for key in found)
    assert recipe_differences([one, one]) == {}


def test_the_command_prints_a_table_and_writes_a_page(
    trained_run: Path, worse_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["compare", str(trained_run), "--output", str(page), str(worse_run)]) == 0
    shown = capsys.readouterr()
    assert "from tones:" in shown.out
    assert shown.err == ""
    html = page.read_text(encoding="utf-8")
    assert "training.seed" in html
    assert "<mark>" in html
    assert cli.main(["compare", str(trained_run), str(worse_run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["against"] == "tones"
    with pytest.raises(ConfigError, match="is a folder; --output names a file"):
        write_comparison(compare([trained_run, worse_run], device="cpu"), tmp_path)


def test_the_same_run_several_times_is_as_one(trained_run: Path, worse_run: Path, tmp_path: Path) -> None:
    copies = [shutil.copytree(worse_run, tmp_path / f"worse-{number}") for number in (1, 2)]
    alone = compare([trained_run, worse_run], device="cpu")
    several = compare([trained_run, copies], device="cpu")  # of other numbers: both count alike
    assert several.names == ["tones", "worse-{1,2}"]
    assert several.differences == alone.differences
    assert several.changed == alone.changed
    assert several.sides[1].scores == alone.sides[1].scores
    assert several.sides[1].intervals == alone.sides[1].intervals
    assert set(several.sides[1].standard_deviations.values()) == {0.0}
    assert several.recipes == alone.recipes
    assert several.facts["parameters"] == alone.facts["parameters"]
    assert several.most_different() == alone.most_different()


def test_of_several_runs_the_mean_counts(trained_run: Path, worse_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    found = compare([copy, [trained_run, worse_run]], device="cpu")
    whole = compare([copy, worse_run], device="cpu").differences[0]["wer"]
    side, wer = found.sides[1], found.differences[0]["wer"]
    assert side.scores["wer"] == pytest.approx(whole.second / 2)
    assert side.standard_deviations["wer"] == pytest.approx(whole.second / 2**0.5)
    assert (wer.first, wer.second) == (0.0, pytest.approx(whole.second / 2))
    assert wer.interval == pytest.approx(tuple(end / 2 for end in whole.interval))
    assert wer.p_value == whole.p_value  # the same rows differ, each by half as much
    assert found.recipes == {"training.seed": [1, [1, 7]]}
    record = found.to_json()["runs"][side.name]
    assert [run["wer"] for run in record["runs"]] == [0.0, pytest.approx(whole.second, abs=1e-4)]
    assert record["wer_standard_deviation"] == pytest.approx(whole.second / 2**0.5, abs=1e-4)


def test_runs_joined_by_commas_are_one_side(
    trained_run: Path, worse_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [tmp_path / name for name in ("a-1", "a-2", "b-1", "b-2", "c,d")]
    for run, of in zip(runs, (trained_run, worse_run, worse_run, worse_run, trained_run), strict=True):
        shutil.copytree(of, run)
    a1, a2, b1, b2, with_comma = map(str, runs)
    page = tmp_path / "page.html"
    assert cli.main(["compare", f"{a1},{a2}", f"{b1},{b2}", with_comma, "--output", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "from a-{1,2}:" in shown
    assert "of several runs: mean ± standard deviation" in shown
    line = next(line for line in shown.splitlines() if line.startswith("WER"))
    assert line.count("±") == 2  # the third side is one run
    assert page.read_text(encoding="utf-8").count("±") > 2
    assert cli.main(["compare", f"{a1},{a2}", f"{a1},{b1}"]) == 2
    assert "each run should be given once" in capsys.readouterr().err
    assert cli.main(["compare", a1, ","]) == 2
