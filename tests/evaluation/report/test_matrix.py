import re
from xml.etree import ElementTree

import numpy as np
import pytest

from seqpipe.evaluation.report.matrix import draw_confusions
from seqpipe.evaluation.scores.confusion import ConfusionMatrix


def test_a_matrix_of_letters_and_digits_fits_on_a_page_and_keeps_every_sign() -> None:
    names = [*"abcdefghijklmnopqrstuvwxyz01234567", "$", "␣"]
    counts = np.full((36, 36), 3)
    drawn, width = draw_confusions(ConfusionMatrix("characters", names, names, counts, counts.sum(axis=1), 0))
    assert 900 < width < 1250
    root = ElementTree.fromstring(drawn.replace("xlink:", ""))
    texts = [str(element.text).strip() for element in root.iter() if element.tag.endswith(("text", "tspan"))]
    assert all(texts.count(name) >= 2 for name in names)
    assert drawn.count("rotate(") == 1  # the name of the axis; letters stand upright


@pytest.mark.parametrize("size", [2, 30])
def test_a_matrix_shows_counts_and_shares_in_the_colours_of_the_page(size: int) -> None:
    names = [f"class <{number}> with a name that is long" for number in range(size)]
    counts = np.arange(size * size).reshape(size, size)
    drawn, width = draw_confusions(ConfusionMatrix("classes", names, names, counts, counts.sum(axis=1), 0))
    assert 100 < width < 1200
    root = ElementTree.fromstring(drawn.replace("xlink:", ""))
    texts = [element.text for element in root.iter() if element.tag.endswith(("text", "tspan"))]
    assert {str(size * size - 1), "reference", "answer"} <= set(texts)
    assert sum(str(text).startswith("class <") and str(text).endswith("…") for text in texts) == 2 * size
    assert {"var(--series-1)", "var(--series-2)", "var(--ink)"} <= set(re.findall(r"var\(--[\w-]+\)", drawn))
    assert drawn.count("<rect") == np.count_nonzero(counts)
