"""Bands around anchors, on emissions of texts that were heard with errors."""

import numpy as np
import pytest

from seqpipe.decoding import ctc_band
from seqpipe.decoding.ctc_alignment import InMemory, align_long
from seqpipe.decoding.ctc_band import align_any, band_around, find_anchors
from seqpipe.decoding.ctc_lattice import whole_band
from seqpipe.errors import InputError

VOCABULARY = 20


def heard(
    labels: list[int], seed: int, *, wrong: float = 0.1, pause_at: int | None = None, pause: int = 0
) -> np.ndarray:
    """Peaked emissions of labels at irregular distances, some of them wrong, with a pause before one of them."""
    generator = np.random.default_rng(seed)
    steps: list[int] = []
    for place, label in enumerate(labels):
        steps += [0] * (pause if place == pause_at else 0)
        said = label if generator.random() > wrong else int(generator.integers(1, VOCABULARY))
        steps += [0] * int(generator.integers(1, 4)) + [said]
    steps += [0]
    values = generator.normal(-6, 0.5, (len(steps), VOCABULARY))
    values[np.arange(len(steps)), steps] = -0.05
    return values.astype(np.float32)


@pytest.fixture(scope="module")
def labels() -> list[int]:
    return np.random.default_rng(1).integers(1, VOCABULARY, 1500).tolist()


def test_anchors_rise_and_lie_on_the_path(labels: list[int]) -> None:
    row = InMemory(heard(labels, 2))
    steps, places = find_anchors(row, labels)
    assert len(steps) > 300
    assert (np.diff(steps) > 0).all()
    assert (np.diff(places) > 0).all()
    assert (align_long(row, labels).starts[places] == steps).mean() > 0.99


def test_the_band_holds_the_exact_path(labels: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the text is far from the diagonal, because of a long pause."""
    monkeypatch.setattr(ctc_band, "HALF_WIDTH", 20)
    row = InMemory(heard(labels, 3, pause_at=300, pause=4000))
    exact = align_any(row, labels)
    assert not exact.touches
    looked_at = []
    made = ctc_band.band_around
    monkeypatch.setattr(ctc_band, "band_around", lambda *a: looked_at.append(made(*a)) or looked_at[-1])
    monkeypatch.setattr(ctc_band, "EXACT_CELLS", 0)
    banded = align_any(row, labels)
    assert np.array_equal(banded.starts, exact.starts)
    assert banded.score == exact.score
    assert int((looked_at[-1].stop - looked_at[-1].first).sum()) < 0.2 * len(row) * len(labels)


def test_a_band_that_is_too_narrow_is_made_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without anchors, since nothing was heard right, but for the last labels far from the diagonal."""
    monkeypatch.setattr(ctc_band, "HALF_WIDTH", 5)
    labels = [1, 2, 3, 4, 5, 6, 7, 8] * 12
    row = InMemory(heard(labels, 4, wrong=0.0, pause_at=10, pause=900))  # runs repeat: none stands once
    assert len(find_anchors(row, labels)[0]) < 3
    widths = []
    made = ctc_band.band_around
    monkeypatch.setattr(ctc_band, "band_around", lambda *a: widths.append(a[-1]) or made(*a))
    monkeypatch.setattr(ctc_band, "EXACT_CELLS", 0)
    found = align_any(row, labels)
    assert widths[0] == 5
    assert len(widths) > 1
    assert np.array_equal(found.starts, align_long(row, labels).starts)


def test_texts_of_other_inputs_are_refused_before_they_take_hours(
    labels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctc_band, "MAX_CELLS", 1000)
    monkeypatch.setattr(ctc_band, "EXACT_CELLS", 0)
    with pytest.raises(
        InputError, match=r"1,500 units and the input of .* so little in common \(anchors: 0\)"
    ) as raised:
        align_any(InMemory(heard(labels[::-1], 5)), labels)
    assert raised.value.kind == "no alignment"


def test_bands_never_fall_and_reach_both_ends() -> None:
    anchors = np.array([100, 500, 510]), np.array([10, 400, 405])
    band = band_around(anchors, 1000, 450, 30)
    whole = whole_band(1000, 450)
    for edge in band:
        assert (np.diff(edge) >= 0).all()
    assert (band.first >= whole.first).all()
    assert (band.stop <= whole.stop).all()
    assert (band.first < band.stop).all()
    assert band.stop[-1] == 450
    assert band.first[0] == 0
