import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import seqpipe
from seqpipe import cli
from seqpipe.errors import ConfigError, RunError
from seqpipe.evaluation.report import examples
from seqpipe.evaluation.report.page import duration, plain
from seqpipe.evaluation.report.write import write_report


class Page(HTMLParser):
    """Tags with their attributes, and text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str, **attributes: str) -> int:
        return sum(found == tag and attributes.items() <= values.items() for found, values in self.tags)

    @property
    def pictures(self) -> int:
        """Of single rows, with what was recognised where."""
        return self.count("svg", **{"aria-label": "what was recognised where"})

    @property
    def rows(self) -> int:
        """Single rows that are shown with their answers."""
        return self.count("article", **{"class": "example"})


def test_names_and_texts_of_the_data_are_text(report: Path, harm: str) -> None:
    page = Page(report)
    assert page.count("script") == 0
    sources = [attributes["src"] for tag, attributes in page.tags if tag in ("img", "audio")]
    assert all(str(source).startswith("data:") for source in sources)
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(harm) >= 3  # as id, as reference, as speaker


@pytest.mark.parametrize("name", ["data/dev.tsv", "data/dev/003.wav", "run/model.safetensors"])
def test_a_page_replaces_nothing_that_is_read(
    name: str, trained_run: Path, tone_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained_run, tmp_path / "run")
    shutil.copytree(tone_data, tmp_path / "data")
    before = (tmp_path / name).read_bytes()
    (tmp_path / "link").hardlink_to(tmp_path / name)
    options = ["--data", str(tmp_path / "data" / "dev.tsv"), "--output", str(tmp_path / "link")]
    assert cli.main(["report", str(tmp_path / "run"), *options]) == 2
    assert f"--output {tmp_path}/link: is {tmp_path}/{name}, which this command reads" in capfd.readouterr().err
    assert (tmp_path / name).read_bytes() == before


def test_it_stands_alone(report: Path) -> None:
    page = Page(report)
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset", "action", "data")
    ]
    assert all(str(link).startswith(("data:", "#")) for link in links)
    assert "@import" not in page.text
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert str(policy).startswith("default-src 'none'")


def test_it_shows_scores_curves_rows_and_how_it_came_to_be(report: Path, trained_run: Path) -> None:
    page = Page(report)
    evaluation = seqpipe.evaluate(trained_run, str(report.with_name("dev.tsv")), device="cpu")
    for value in evaluation.scores.values():
        assert f"{value:.2f}" in page.text
    for low, high in evaluation.intervals.values():
        assert f"{low:.2f} to {high:.2f}" in page.text
    wrong = int((evaluation.errors > 0).sum())
    assert f"{wrong} of {wrong} that are not right" in page.text
    assert "most wrong words come first, among equals those with the most wrong characters" in page.text
    assert page.rows == page.count("audio") == page.pictures == wrong
    charts = [attributes["aria-label"] for tag, attributes in page.tags if attributes.get("class") == "chart"]
    assert charts[0] == "Loss"
    assert any(str(chart).startswith("Scores of dev") for chart in charts)
    metrics = json.loads((trained_run / "metrics.json").read_text())
    assert metrics["machine"]["processor"] in page.text
    assert metrics["versions"]["torch"] in page.text
    assert "stage: Conv1dFrontEnd" in page.text
    assert "by speaker" in page.text
    assert "by length of the input" in page.text


def test_beside_the_confidence_stands_what_the_model_gives_to_the_reference(report: Path, trained_run: Path) -> None:
    evaluation = seqpipe.evaluate(trained_run, str(report.with_name("dev.tsv")), device="cpu")
    for position, answer in enumerate(evaluation.predictions):
        probability = examples.reference_probability(evaluation, position)
        if position == 5:
            assert probability is None  # its letters are unknown
        elif evaluation.errors[position]:
            assert probability < answer.confidence
        else:
            assert probability == pytest.approx(answer.confidence, rel=1e-3)
    assert "reference can't be said" in Page(report).text


def test_a_verdict_counts_what_is_wrong(trained_run: Path, tone_data: Path, tmp_path: Path) -> None:
    path, name, text = (tone_data / "dev.tsv").read_text().splitlines()[1].split("\t")
    assert text.count(" ") == 1
    texts = [text, text.replace(" ", "  "), f"{text} bb", "bb", f"{text} a a"]
    rows = [f"{tone_data / path}\t{name}\t{changed}" for changed in texts]
    (tmp_path / "dev.tsv").write_text("\n".join(["path\tname\ttext", *rows]) + "\n")
    evaluation = seqpipe.evaluate(trained_run, str(tmp_path / "dev.tsv"), device="cpu")
    assert [examples.verdict(evaluation, position) for position in range(5)] == [
        "right",
        f"1 error in {len(text) + 1} characters",  # a space, which is no word
        "1 error in 3 words",
        "2 errors in 1 word",
        "2 errors in 4 words",
    ]


def test_a_run_without_errors_shows_what_it_was_least_sure_of(trained_run: Path, tmp_path: Path) -> None:
    page = Page(write_report(trained_run, output=tmp_path / "r.html", device="cpu"))
    assert "No row is wrong" in page.text
    assert page.rows == 6


def test_it_can_be_written_while_a_run_is_not_finished(trained_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    (run / "metrics.json").unlink()
    shutil.rmtree(run / "log")
    assert write_report(run, device="cpu") == run / "report.html"
    page = Page(run / "report.html")
    assert page.count("svg") == 3 + page.pictures  # diagrams of confidence: of answers, words and tokens
    assert "processor" not in page.text
    given = Page(write_report(run, device="cpu", metrics={"seconds": 75.2, "machine": {"processor": "abacus"}}))
    assert "abacus" in given.text
    assert "75 s" in given.text
    (run / "metrics.json").write_text("{")
    with pytest.raises(RunError, match=r"metrics\.json: is no JSON"):
        write_report(run, device="cpu")


def test_a_run_that_names_nothing_to_score_has_its_curves(trained_run: Path, tmp_path: Path) -> None:
    pipeline = seqpipe.Pipeline.load(trained_run)
    pipeline.recipe.data.dev = None
    pipeline.save(tmp_path / "run")
    shutil.copytree(trained_run / "log", tmp_path / "run" / "log")
    page = Page(write_report(tmp_path / "run", device="cpu"))
    assert "nothing was scored" in page.text
    assert page.rows == 0
    assert page.count("svg") >= 2


def test_dev_is_shown_even_where_there_is_a_test_part(trained_run: Path, tone_data: Path, tmp_path: Path) -> None:
    pipeline = seqpipe.Pipeline.load(trained_run)
    pipeline.recipe.data.test = "few.tsv"
    pipeline.save(tmp_path / "run")
    assert f"16 rows of {tone_data / 'dev.tsv'}" in Page(write_report(tmp_path / "run", device="cpu")).text


def test_pictures_and_recordings_have_a_budget(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "MAX_BYTES", 1)
    page = Page(write_report(trained_run, output=tmp_path / "r.html", device="cpu"))
    assert page.pictures == page.count("audio") == 1
    assert page.text.count("without picture and sound") == page.rows - 1


def test_the_command_says_where_it_lies(
    trained_run: Path, tone_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "r.html"
    source = tone_data / "few.tsv"
    assert cli.main(["report", str(trained_run), "--data", str(source), "--output", str(output), "--device=cpu"]) == 0
    assert capsys.readouterr().out == f"{output}\n"
    assert f"24 rows of {source}" in Page(output).text
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]  # no draft is left


def test_an_output_that_can_not_be_written_is_told(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="is a folder; --output names a file"):
        write_report(trained_run, output=tmp_path, device="cpu")
    assert cli.main(["report", str(trained_run), "--output", str(tmp_path / "no" / "r.html")]) == 2
    assert f"there is no folder {tmp_path / 'no'}; make it" in capsys.readouterr().err
    with pytest.raises(RunError, match="there is no such run directory"):
        write_report(tmp_path / "nowhere")


def test_numbers_read_as_people_write_them() -> None:
    assert [duration(seconds) for seconds in (3.2, 119, 120, 1584.6, 7300)] == [
        "3 s",
        "119 s",
        "2 min 00 s",
        "26 min 25 s",
        "2 h 01 min",
    ]
    assert plain({"train": 1600, "gpu": None, "deep": {"a": 1.5}}) == "train 1,600, deep a 1.5"
    assert re.fullmatch(r"2,591,900", plain(2591900))
