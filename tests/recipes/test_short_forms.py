"""Of the table of short forms itself: no recipe is forgotten."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FORMS = yaml.safe_load(Path(__file__).with_name("short_forms.yaml").read_text("utf-8"))


def test_every_shipped_recipe_has_a_short_form() -> None:
    shipped = {f"{path.parent.name}/{path.stem}" for path in (ROOT / "recipes").glob("*/*.yaml")}
    assert set(FORMS) == shipped


def test_every_short_form_is_trained_and_bounded_on_one_side() -> None:
    for name, form in FORMS.items():
        task = name.partition("/")[0]
        assert Path(__file__).with_name(f"test_{task}.py").is_file(), f"no test file trains {name}"
        assert not {"at_least", "at_most"} <= set(form), f"{name}: at_least or at_most, not both"
        assert ("measured" in form) == bool({"at_least", "at_most"} & set(form)), (
            f"{name}: a bound says what it is from"
        )
