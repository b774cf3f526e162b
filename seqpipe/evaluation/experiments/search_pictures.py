"""Pictures of a search: how it went, which values matter, and where the good ones are."""

from __future__ import annotations

import textwrap
import warnings
from pathlib import Path
from typing import Any


def draw_search(study: Any, out: Path, main_score: str) -> list[Path]:
    """Write ``history.png``, ``slices.png`` and ``importances.png``; the last needs three scores that differ.

    Args:
        study: an Optuna study with at least one score.
        out: folder.
        main_score: what the scores are, for the axes.
    """
    import matplotlib

    matplotlib.use("Agg")
    import optuna
    from matplotlib import pyplot, ticker
    from optuna.visualization import matplotlib as pictures

    scores = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    tried = {name: distribution for trial in scores for name, distribution in trial.distributions.items()}
    title = f"dev {main_score}"
    drawn = []

    def save(name: str, axes: Any, size: tuple[float, float]) -> None:
        figure = (axes.flat[0] if hasattr(axes, "flat") else axes).figure
        figure.set_size_inches(*size)
        figure.savefig(out / name, dpi=100, bbox_inches="tight")
        pyplot.close(figure)
        drawn.append(out / name)

    with warnings.catch_warnings(), pyplot.rc_context():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.filterwarnings("ignore", "Attempting to set identical")  # where one value alone was tried
        history = pictures.plot_optimization_history(study, target_name=title)
        history.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        save("history.png", history, (8, 4.5))
        slices = pictures.plot_slice(study, target_name=title)
        for axis in slices.flat if hasattr(slices, "flat") else [slices]:
            name = axis.get_xlabel()
            _show_what_is_tried(axis, tried[name])
            axis.set_xlabel("\n".join(textwrap.wrap(name.replace(".", ". "), 24)).replace(". ", "."))
        save("slices.png", slices, (max(6.0, 3.0 * len(tried)), 4.5))
        if len({trial.value for trial in scores}) >= 3:
            height = 1.5 + 0.45 * len(tried)
            save("importances.png", pictures.plot_param_importances(study, target_name=title), (8, height))
    return drawn


def _show_what_is_tried(axis: Any, distribution: Any) -> None:
    """The whole range, not what was met of it; whole numbers where no others are tried; no exponents."""
    from matplotlib import ticker

    low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
    if low is None or high is None:
        return
    if distribution.log:
        axis.set_xlim(low / 1.1, high * 1.1)
        axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1.0, 3.0)))
        axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(ticker.NullFormatter())
        return
    margin = 0.05 * (high - low)
    axis.set_xlim(low - margin, high + margin)
    if isinstance(low, int):
        axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
