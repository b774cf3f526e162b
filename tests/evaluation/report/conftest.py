"""Shared by the tests of reports: a report of a model that errs, on rows whose texts would do harm if they could."""

from pathlib import Path

import pytest

from seqpipe.evaluation.report.write import write_report

HARM = "<script>document.title='harmed'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def harm() -> str:
    """What stands in an id, a text and a column of the report's rows."""
    return HARM


@pytest.fixture(scope="session")
def report(trained_run: Path, tone_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``report.html`` of the tones on rows with harmful names, some of them labelled wrong."""
    folder = tmp_path_factory.mktemp("reports")
    lines = ["path\tname\ttext\tspeaker"]
    for index, line in enumerate((tone_data / "dev.tsv").read_text().splitlines()[1:]):
        path, name, text = line.split("\t")
        if index == 5:
            name, text = HARM, f"{text} {HARM}"
        elif index % 4 == 1:
            text += " bb"
        lines.append(f"{tone_data / path}\t{name}\t{text}\t{HARM if index % 2 else 'otto'}")
    (folder / "dev.tsv").write_text("\n".join(lines) + "\n")
    return write_report(trained_run, str(folder / "dev.tsv"), output=folder / "report.html", device="cpu")
