"""What a calibration is worth, as text and as JSON."""

from __future__ import annotations

from typing import Any

from seqpipe.inference.calibration_file import Fit, plain


def render(fit: Fit) -> str:
    """A table: of each kind of part how many there are, how many are right, and how far confidence was off."""
    by = f"{fit.folds} folds" + (f" by {fit.group}" if fit.group else "")
    lines = [
        f"temperature {fit.calibration.temperature:.3f}, fitted to {fit.rows:,} rows of {fit.source}",
        f"expected calibration error, calibrated on rows that the fit hasn't seen ({by}):",
        f"{'':10}{'number':>8}{'right':>9}{'before':>9}  {'95 %':14}{'after':>8}  {'95 %':14}{'by chance':>10}",
    ]
    for kind, own in fit.figures.items():
        lines.append(
            f"{kind:10}{own.count:>8,}{100 * own.right / own.count:>7.1f} %{own.before:>7.2f} %"
            f"  {_interval(own.before_interval):14}{own.after:>6.2f} %  {_interval(own.after_interval):14}"
            f"{own.chance:>8.2f} %"
        )
    return "\n".join(lines)


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.2f} to {ends[1]:.2f}"


def record(fit: Fit) -> dict[str, Any]:
    """The same as one JSON object, without the points of pictures."""
    content: dict[str, Any] = plain(fit)
    for own in content["figures"].values():
        del own["bins_before"], own["bins_after"]
    return content
