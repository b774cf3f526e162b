"""Language modelling: the short form of every recipe reaches the score that `short_forms.yaml` bounds."""

from collections.abc import Callable

import pytest


@pytest.mark.slow
def test_short_form(recipe: str, short_form: Callable[[str], None]) -> None:
    short_form(recipe)
