"""Lines cut out of pages: straight, alone, and of the size that their polygons say."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from seqpipe.errors import InputError
from seqpipe.features.image import page_image
from seqpipe.features.image.page_cutting import cut_line, line_shape
from seqpipe.features.image.page_image import page_pixels, page_size

WIDTH, ABOVE, BELOW = 400, 30, 14


def marks(along: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brightness of a line of marks on paper: smooth, so that interpolating it changes little."""
    ink = np.sin(along / 5 + np.sin(along / 31)) * np.cos((below + ABOVE) / 4 + along / 50)
    inside = (along >= 0) & (along < WIDTH) & (below >= -ABOVE) & (below < BELOW)
    return np.where(inside, 225 - 90 * np.clip(ink, 0, 1), 225)


def bent(height: NDArray[np.float64], *, size: tuple[int, int] = (300, 460), left: int = 30) -> NDArray[np.uint8]:
    """A page with the marks along a baseline, its height given by column, and upright on it."""
    fine = np.linspace(-30, WIDTH + 30, 4 * WIDTH)
    curve = np.stack([left + fine, np.interp(fine, np.arange(WIDTH), height)], axis=1)
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    direction = np.gradient(curve, axis=0)
    direction /= np.hypot(*direction.T)[:, None]
    y, x = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([x.ravel(), y.ravel()], axis=1)
    nearest = cKDTree(curve).query(pixels)[1]
    across = np.stack([-direction[:, 1], direction[:, 0]], axis=1)[nearest]
    below = ((pixels - curve[nearest]) * across).sum(axis=1)
    along = (
        lengths[nearest] - np.interp(0, fine, lengths) + ((pixels - curve[nearest]) * direction[nearest]).sum(axis=1)
    )
    return np.rint(marks(along, below)).astype(np.uint8).reshape(size)


def polygon_of(height: NDArray[np.float64], left: int = 30, above: int = ABOVE, below: int = BELOW) -> list:
    upper = [(left + x, height[x] - above) for x in range(0, WIDTH, 7)]
    lower = [(left + x, height[x] + below - 1) for x in range(0, WIDTH, 7)]
    return [*upper, *reversed(lower)]


def alike(cut: NDArray[np.uint8]) -> float:
    """Correlation with the marks, where they fit best: where the baseline is in the image is its own matter."""
    rows, columns = np.mgrid[: cut.shape[0], : cut.shape[1]]
    return max(
        float(np.corrcoef(cut[6:-6, 20:-20].ravel(), marks(columns + right, rows - down)[6:-6, 20:-20].ravel())[0, 1])
        for right in range(-4, 5)
        for down in range(ABOVE - 4, cut.shape[0])
    )


@pytest.mark.parametrize(
    "height",
    [
        np.full(WIDTH, 120.0),
        120 + 0.08 * np.arange(WIDTH),
        120 + 10 * np.sin(np.arange(WIDTH) / 70),
    ],
    ids=["level", "rising", "curved"],
)
def test_a_line_is_straight_when_it_is_cut_out(height: NDArray[np.float64]) -> None:
    page = bent(height)
    baseline = [(30 + x, height[x]) for x in range(0, WIDTH, 20)]
    cut = cut_line(page, baseline, polygon_of(height), reach=1)
    assert cut.dtype == np.uint8
    assert abs(cut.shape[0] - (ABOVE + BELOW)) <= 3
    assert alike(cut) > 0.97
    unbent = page[int(height.min()) - ABOVE : int(height.max()) + BELOW, 30 : 30 + WIDTH]
    if np.ptp(height) > 1:  # the box round it is another matter
        assert alike(unbent) < 0.8


def test_neighbours_are_paper() -> None:
    height = np.full(WIDTH, 120.0)
    page = bent(height)
    alone = cut_line(page, [(30, 120), (430, 120)], polygon_of(height))
    page[60 : 120 - ABOVE] = 0
    page[120 + BELOW : 180] = 0
    page[:, :28] = 0
    outline = polygon_of(height)
    outline[3:6] = [(30 + 7 * index, 70.0) for index in range(3, 6)]  # a spike into the line above
    cut = cut_line(page, [(30, 120), (430, 120)], outline)
    assert np.array_equal(np.delete(cut, np.s_[10:50], axis=1), np.delete(alone, np.s_[10:50], axis=1))
    tall = cut_line(page, [(30, 120), (430, 120)], outline, reach=1)  # as high as the spike
    assert len(tall) > len(cut) + 10
    assert np.delete(tall, np.s_[10:50], axis=1).min() >= alone.min() > 100


def test_a_corner_outside_the_polygon_has_the_colour_of_paper() -> None:
    page = np.full((100, 200), 90, np.uint8)  # dark paper
    page[40:50, 20:180:8] = 20
    page[:30] = 255
    cut = cut_line(page, [(10, 50), (190, 50)], [(10, 50), (100, 32), (190, 50), (100, 60)], reach=1)
    assert cut[0, 0] == cut[-1, -1] == cut[0, -1] == 90
    assert cut.max() == 90


def test_colours_stay() -> None:
    page = np.zeros((100, 200, 3), np.uint8)
    page[...] = (200, 180, 90)
    cut = cut_line(page, [(10, 50), (190, 50)], [(10, 20), (190, 20), (190, 60), (10, 60)])
    assert cut.ndim == 3
    assert (cut == (200, 180, 90)).all()


def test_the_direction_in_which_a_baseline_is_drawn_changes_nothing() -> None:
    height = 120 + 10 * np.sin(np.arange(WIDTH) / 70)
    page = bent(height)
    baseline = [(30 + x, height[x]) for x in range(0, WIDTH, 20)]
    one, other = (cut_line(page, line, polygon_of(height)).astype(int) for line in (baseline, baseline[::-1]))
    assert abs(one.shape[0] - other.shape[0]) <= 1
    rows, columns = min(one.shape[0], other.shape[0]), min(one.shape[1], other.shape[1])
    assert np.abs(one[:rows, :columns] - other[:rows, :columns]).mean() < 8


def test_a_baseline_of_one_point_is_a_level_line() -> None:
    height = np.full(WIDTH, 120.0)
    page = bent(height)
    outline = polygon_of(height)
    assert np.array_equal(cut_line(page, [(30, 120)], outline), cut_line(page, [(30, 120), (422, 120)], outline))


def test_repeated_points_change_nothing() -> None:
    height = np.full(WIDTH, 120.0)
    page = bent(height)
    outline = polygon_of(height)
    plain = cut_line(page, [(30, 120), (422, 120)], outline)
    assert np.array_equal(plain, cut_line(page, [(30, 120), (30, 120), (422, 120)], [*outline, outline[0]]))


def test_what_lies_beside_the_page_is_left_out() -> None:
    page = np.full((100, 200), 200, np.uint8)
    cut = cut_line(page, [(-50, 50), (400, 50)], [(-50, 30), (1e9, 30), (1e9, 60), (-50, 60)])
    assert 195 <= cut.shape[1] <= 201
    assert (cut == 200).all()


@pytest.mark.parametrize(
    ("baseline", "polygon", "what"),
    [
        ([(10, 50), (190, 50)], [(300, 30), (400, 30), (400, 60)], "leaves nothing of the page"),
        ([(10, 50), (190, 50)], [(10, 30), (190, 30)], "polygon needs 3 points"),
        ([(10, 50), (190, 50)], [(10, 30), (10, 30), (10, 30)], "polygon needs 3 points"),
        ([(10, 50), (190, 50)], [(10, 30), (100, 30), (190, 30)], "leaves nothing of the page"),
        ([], [(10, 30), (190, 30), (190, 60)], "baseline needs 1 points"),
        ([(10, float("nan")), (190, 50)], [(10, 30), (190, 30), (190, 60)], "no finite numbers"),
        ([(10, 50), (1e12, 50)], [(10, 30), (190, 30), (190, 60)], "longer than a page"),
        ([(10, 1e12), (190, 1e12)], [(10, 30), (190, 30), (190, 60)], "far off its polygon, .* 100: 10,1e.12 190,1e"),
        ([(10, 1e300)], [(10, 30), (190, 30), (190, 60)], "far off its polygon"),
        ([(10, -3000), (190, -3000)], [(10, 30), (190, 30), (190, 60)], "far off its polygon"),
    ],
)
def test_points_that_make_no_line_are_named(baseline: list, polygon: list, what: str) -> None:
    page = np.full((100, 200), 200, np.uint8)
    with pytest.raises(InputError, match=what) as caught:
        cut_line(page, baseline, polygon)
    assert caught.value.kind == "bad value"


def test_the_size_is_known_beforehand() -> None:
    height = 120 + 10 * np.sin(np.arange(WIDTH) / 70)
    baseline = [(30 + x, height[x]) for x in range(0, WIDTH, 20)]
    page = bent(height)
    shape = line_shape(baseline, polygon_of(height), (460, 300))
    assert shape.inside.shape == cut_line(page, baseline, polygon_of(height)).shape


def test_spikes_of_a_polygon_cost_no_height() -> None:
    height = np.full(WIDTH, 120.0)
    outline = polygon_of(height)
    plain = line_shape([(30, 120), (422, 120)], outline, (460, 300)).inside.shape
    outline[10:12] = [(30 + 7 * index, 60.0) for index in (10, 11)]
    assert line_shape([(30, 120), (422, 120)], outline, (460, 300)).inside.shape == plain
    whole = line_shape([(30, 120), (422, 120)], outline, (460, 300), reach=1).inside.shape
    assert whole[0] > plain[0] + 20


def test_a_page_is_decoded_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.fromarray(np.full((30, 40), 7, np.uint8)).save(path)
    first = page_pixels(path)
    assert first.shape == (30, 40)
    assert page_size(path) == (40, 30)
    assert page_pixels(path) is first
    assert not first.flags.writeable
    Image.fromarray(np.full((31, 41), 9, np.uint8)).save(path)
    assert page_pixels(path).shape == (31, 41)


def test_pages_that_are_kept_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_image, "KEPT_BYTES", 2500)
    monkeypatch.setattr(page_image, "_kept", page_image._Kept())
    pages = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.full((30, 40), number, np.uint8)).save(path)
        pages.append(page_pixels(path))
    assert len(page_image._kept.pages) == 2
    assert page_pixels(tmp_path / "4.png") is pages[4]
    assert page_pixels(tmp_path / "0.png") is not pages[0]


def test_threads_that_want_the_same_page_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_image, "_kept", page_image._Kept())
    path = tmp_path / "page.png"
    Image.fromarray(np.zeros((500, 600), np.uint8)).save(path)
    found: list[NDArray[np.uint8]] = []
    threads = [threading.Thread(target=lambda: found.append(page_pixels(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(pixels is found[0] for pixels in found)


def test_pages_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        page_pixels(tmp_path / "gone.png")
    (tmp_path / "text.png").write_text("no image")
    for read in (page_pixels, page_size):
        with pytest.raises(InputError, match=r"text\.png"):
            read(tmp_path / "text.png")


def test_a_page_of_sixteen_bits_is_read(tmp_path: Path) -> None:
    Image.fromarray(np.full((30, 40), 65_535, np.uint16)).save(tmp_path / "deep.png")
    assert (page_pixels(tmp_path / "deep.png") == 255).all()
