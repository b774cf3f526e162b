"""Filling templates, and writing pages whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from seqpipe.evaluation.scores.wording import duration, plain


def fill(template: str, **content: Any) -> str:
    """A page from a template of this package; everything that isn't marked safe is escaped."""
    environment = Environment(
        loader=PackageLoader("seqpipe.evaluation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "plain": plain, "visible": visible, "chance": chance, "share": share}
    environment.filters["pixels"] = "{:.1f}".format
    style = Path(__file__).with_name("templates") / "style.css"
    return environment.get_template(template).render(style=Markup(style.read_text(encoding="utf-8")), **content)


def chance(probability: float) -> str:
    """A probability in per cent, with digits enough to tell it from 0 and from 100."""
    share = 100 * probability
    if 0.01 <= share <= 99.99:
        return f"{share:.2f} %" if share < 1 or share > 99 else f"{share:.1f} %"
    return "over 99.99 %" if share > 50 else f"{share:.1e} %" if share else "0 %"


def share(part: float) -> str:
    """A part of a whole in per cent."""
    return f"{100 * part:.1f} %"


def visible(item: str) -> str:
    """An item of an alignment, spaces and nothing made visible."""
    return {"": "–", " ": "␣"}.get(item, item)
