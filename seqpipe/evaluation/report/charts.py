"""Charts as inline SVG whose colours are the page's, so that they follow its light or dark scheme."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from seqpipe.core.metric import ScoreKind
from seqpipe.evaluation.scores.breakdown import ConfidenceBin

# matplotlib knows no CSS: it draws in colours that nobody would choose, which are then replaced by the page's.
_TEXT, _GRID, _SERIES = "#010203", "#010204", ("#010205", "#010206", "#010207", "#010208")
_CSS = {_TEXT: "var(--muted)", _GRID: "var(--line)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, 1)
}
_STYLE = {
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "seqpipe",  # the same chart is the same file
    "font.size": 9,
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.edgecolor": _GRID,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _TEXT,
    "ytick.color": _TEXT,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "path.simplify_threshold": 0.5,
}

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class LineChart:
    """Curves over one axis.

    Attributes:
        title: what is drawn, with its unit.
        series: points (x, y) by name, at most four; many points are drawn thinner.
        scale: of the vertical axis: ``linear``, ``log``, or ``symlog`` for values that reach 0.
        named: whether a single curve has its name too, since the title doesn't say what it is.
    """

    title: str
    series: Mapping[str, Points]
    scale: str = "linear"
    named: bool = False


def learning_charts(log: Sequence[Mapping[str, str]], kinds: Mapping[str, ScoreKind]) -> list[LineChart]:
    """Charts of a training log: losses, dev scores, learning rate, gradient norm; what the log lacks is left out.

    Args:
        log: rows of ``log/metrics.csv``.
        kinds: of dev scores, the most telling ones first; those of one unit and direction share a chart, and what a
            chart has no room for is left out.
    """

    def points(name: str) -> Points:
        return [(float(record["step"]), float(record[name])) for record in log if record.get(name)]

    def chart(title: str, names: Mapping[str, str], scale: str = "linear", *, named: bool = False) -> LineChart:
        series = {label: found for name, label in names.items() if (found := points(name))}
        return LineChart(title, series, scale, named)

    grouped: dict[tuple[bool, str], dict[str, str]] = {}
    for name, kind in kinds.items():
        same = grouped.setdefault((kind.lower_is_better, kind.unit), {})
        if len(same) < len(_SERIES):
            same[f"dev_{name}"] = name
    order = sorted(grouped, key=lambda key: (key[1] != " %", not key[0]))
    scores = [
        chart(
            f"Scores of dev, {'lower' if lower else 'higher'} is better" + (f" ({unit.strip()})" if unit else ""),
            grouped[lower, unit],
            "symlog" if lower else "linear",
            named=True,
        )
        for lower, unit in order
    ]
    losses = {"loss": "batch", "train_loss": "train, mean of the epoch", "dev_loss": "dev"}
    charts = [
        chart("Loss", losses, "log"),
        *scores,
        chart("Learning rate", {"lr": "learning rate"}),
        chart("Norm of the gradient", {"grad_norm": "before clipping"}, "log"),
    ]
    return [item for item in charts if item.series]


def draw_lines(chart: LineChart, x_label: str) -> Markup:
    """The chart as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(3.5, 2.2), layout="constrained")
        axis = figure.subplots()
        values = [y for points in chart.series.values() for _, y in points]
        for colour, (name, points) in zip(_SERIES, chart.series.items(), strict=False):
            noisy = len(points) > 150 and len(chart.series) > 1
            axis.plot(
                *zip(*points, strict=True),
                label=name,
                color=colour,
                linewidth=0.7 if noisy else 1.6,
                alpha=0.45 if noisy else 1,
                marker="o" if len(points) == 1 else None,
            )
        if chart.scale == "symlog":
            axis.set_yscale("symlog", linthresh=1)
            axis.set_ylim(bottom=0)
            axis.set_yticks([tick for tick in (0, 1, 3, 10, 30, 100, 300) if tick <= max(*values, 1) * 1.2])
            axis.yaxis.set_major_formatter("{x:g}")
        elif chart.scale == "log" and min(values) > 0:
            axis.set_yscale("log")
        axis.set_xlabel(x_label)
        axis.grid(visible=True)
        if len(chart.series) > 1 or chart.named:
            axis.legend(fontsize=8)
        return _svg(figure, chart.title)


def draw_reliability(
    bins: Sequence[ConfidenceBin], items: str = "rows", before: Sequence[ConfidenceBin] = ()
) -> Markup:
    """Share of right rows, or of other items, over confidence, as SVG, and that before calibration if it is given."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(4.4, 3.3), layout="constrained")
        axis = figure.subplots()
        axis.plot([0, 1], [0, 1], color=_GRID, linewidth=1.5)
        named = [(before, _SERIES[1], "s--", "before"), (bins, _SERIES[0], "o-", "calibrated")]
        for points, colour, form, label in named:
            if not points:
                continue
            axis.errorbar(
                [item.confidence for item in points],
                [item.right for item in points],
                [
                    [max(0.0, item.right - item.interval[0]) for item in points],
                    [max(0.0, item.interval[1] - item.right) for item in points],
                ],
                color=colour,
                fmt=form,
                markersize=4,
                linewidth=1.2,
                label=label,
            )
        if before:
            axis.legend(fontsize=8, loc="best")
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="confidence", ylabel=f"share of {items} that are right")
        axis.grid(visible=True)
        return _svg(figure, f"Confidence beside the share of {items} that are right")


def _svg(figure: Any, title: str) -> Markup:
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"font: (?:\d+ )?([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", text)
    for colour, css in _CSS.items():
        text = text.replace(colour, css)
    label = f'<svg class="chart" role="img" aria-label="{escape(title)}"'
    return Markup(re.sub(r'<svg( [^>]*?) width="[^"]*"', rf"{label}\1", text, count=1).replace("\n", " "))
