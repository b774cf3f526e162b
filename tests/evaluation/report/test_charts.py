import math
import re
from xml.etree import ElementTree

import pytest

from seqpipe.core.metric import ScoreKind
from seqpipe.evaluation.report.charts import LineChart, draw_lines, draw_reliability, learning_charts
from seqpipe.evaluation.scores.breakdown import reliability

LOG = [
    {"step": "9", "epoch": "0", "loss": "3.5", "lr": "0.1", "grad_norm": "7", "train_loss": "", "dev_wer": ""},
    {"step": "12", "epoch": "0", "loss": "", "lr": "", "grad_norm": "", "train_loss": "3", "dev_wer": ""},
    {"step": "12", "epoch": "0", "loss": "", "lr": "", "grad_norm": "", "train_loss": "", "dev_wer": "0"},
]


def test_charts_hold_what_the_log_holds_and_nothing_else() -> None:
    kinds = {"wer": ScoreKind("WER", "", True), "accuracy": ScoreKind("accuracy", "", False)}
    charts = learning_charts(LOG, kinds)
    assert {chart.title: dict(chart.series) for chart in charts} == {
        "Loss": {"batch": [(9.0, 3.5)], "train, mean of the epoch": [(12.0, 3.0)]},
        "Scores of dev, lower is better (%)": {"wer": [(12.0, 0.0)]},
        "Learning rate": {"learning rate": [(9.0, 0.1)]},
        "Norm of the gradient": {"before clipping": [(9.0, 7.0)]},
    }
    assert learning_charts([], kinds) == []


def test_a_chart_of_scores_has_one_unit_and_the_four_that_come_first() -> None:
    names = [*"abcdef", "mcc"]
    log = [{"step": str(step), **{f"dev_{name}": str(step) for name in names}} for step in (1, 2)]
    kinds = {name: ScoreKind(name, "", False, unit="" if name == "mcc" else " %") for name in names}
    assert {chart.title: list(chart.series) for chart in learning_charts(log, kinds)} == {
        "Scores of dev, higher is better (%)": ["a", "b", "c", "d"],
        "Scores of dev, higher is better": ["mcc"],
    }


@pytest.mark.parametrize("scale", ["linear", "log", "symlog"])
def test_a_chart_is_svg_in_the_colours_of_the_page(scale: str) -> None:
    points = [(float(step), math.exp(-step / 9)) for step in range(30)]
    drawn = draw_lines(LineChart('<b> & "curves"', {"a": points, "<i>": points[::-1]}, scale), "step")
    root = ElementTree.fromstring(drawn.replace("xlink:", ""))
    assert root.tag.endswith("svg")
    assert root.attrib["aria-label"] == '<b> & "curves"'
    assert "var(--series-1)" in drawn
    assert "var(--series-2)" in drawn
    assert not re.search(r"#0102\d\d", drawn)
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"step", "a", "<i>"} <= texts
    assert drawn == draw_lines(LineChart('<b> & "curves"', {"a": points, "<i>": points[::-1]}, scale), "step")


def test_values_that_have_no_logarithm_are_drawn_all_the_same() -> None:
    assert "<path" in draw_lines(LineChart("Loss", {"dev": [(1.0, 0.0), (2.0, -1.0)]}, "log"), "step")
    assert "<path" in draw_reliability(reliability([0.5], [True]))
