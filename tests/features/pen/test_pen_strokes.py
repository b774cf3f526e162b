"""Pen strokes: the same writing, however it was sampled, gives the same points."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from seqpipe import ConfigError, FeatureChain, FileSpan, PaddedSequence, PenStrokes
from seqpipe.data.formats.manifest import read_manifest
from seqpipe.errors import InputError

Strokes = list[NDArray[np.float64]]
STEP = 0.2
KINDS = [{"height": "core"}, {"height": "full"}, {"height": "box", "step": 0.07}, {"straighten": True, "deslant": True}]


def writing(seed: int, strokes: int = 4) -> Strokes:
    """Loops to the right, in tablet units; the last stroke is a dot."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(strokes):
        turns = np.linspace(0, generator.uniform(6, 15), 300)
        size = generator.uniform(200, 300)
        x = size * (0.3 * turns + 0.4 * np.sin(turns) + 4 * number)
        made.append(np.stack([x, size * np.cos(turns + generator.uniform(-0.2, 0.2)) * (1 + 0.3 * np.sin(x / 900))], 1))
    return [*made, made[0][:1] + np.array([0.0, 400.0])]


def densified(strokes: Strokes, seed: int) -> Strokes:
    """The same lines with further points on them, at uneven places."""
    generator = np.random.default_rng(seed)
    dense = []
    for stroke in strokes:
        places = np.sort(
            np.concatenate([np.arange(len(stroke)), generator.uniform(0, len(stroke) - 1, 2 * len(stroke))])
        )
        dense.append(np.stack([np.interp(places, np.arange(len(stroke)), column) for column in stroke.T], axis=1))
    return dense


@pytest.mark.parametrize("options", KINDS, ids=str)
class TestPoints:
    @pytest.mark.parametrize("seed", range(3))
    def test_place_size_and_sampling_change_nothing(self, options: Any, seed: int) -> None:
        stage, strokes = PenStrokes(**options), writing(seed)
        plain = stage.prepare(strokes, None)
        assert plain.dtype == torch.float32
        for changed in (
            [stroke + np.array([-7000.0, 31.0]) for stroke in strokes],
            [0.003 * stroke for stroke in strokes],
            densified(strokes, seed),
            [np.repeat(stroke, 3, axis=0) for stroke in strokes],
        ):
            torch.testing.assert_close(stage.prepare(changed, None)[:, 1:], plain[:, 1:], atol=2e-4, rtol=0)

    def test_points_of_a_stroke_are_evenly_spaced_along_the_line_and_keep_its_ends(self, options: Any) -> None:
        stage, strokes = PenStrokes(**options), densified(writing(5), 5)
        prepared = stage.prepare(strokes, None).double().numpy()
        found = np.split(prepared, np.flatnonzero(prepared[:, 3] == 0)[1:])
        assert len(found) == len(strokes)
        assert len(found[-1]) == 1  # the dot
        first = 0
        for stroke, points in zip(strokes[:-1], found, strict=False):
            assert (points[1:, 3] == 1).all()
            assert (points[0, 0], points[-1, 0]) == (first, pytest.approx(first + len(stroke) - 1, abs=1e-3))
            # Chords are at most as long as the way, which is the step that was asked for but for keeping both ends.
            assert np.hypot(*np.diff(points[:, 1:3], axis=0).T).max() <= stage.step * (1 + 1 / len(points))
            if not stage.deslant:  # sheared, the way is another one
                way = np.append(0, np.hypot(*np.diff(stroke, axis=0).T).cumsum())
                at = np.interp(points[:, 0] - first, np.arange(len(stroke)), way)
                assert np.diff(at).std() < 1e-3 * np.diff(at).mean()
            first += len(stroke)

    def test_the_length_is_known_before(self, options: Any) -> None:
        stage = PenStrokes(**options)
        for seed in range(20):
            strokes = writing(seed, strokes=1 + seed % 5)
            assert stage.length(strokes) == len(stage.prepare(strokes, None))

    @given(st.lists(st.lists(st.integers(-50, 50), max_size=12).map(lambda v: v[: len(v) // 2 * 2]), max_size=5))
    def test_any_numbers_come_out_finite_or_are_refused(self, options: Any, raw: list[list[int]]) -> None:
        stage = PenStrokes(**options)
        if not any(raw):
            with pytest.raises(InputError):
                stage.prepare(raw, None)
            return
        prepared = stage.prepare(raw, None)
        assert prepared.isfinite().all()
        assert len(prepared) == stage.length(raw)
        assert (prepared[:, 3] == 0).sum() == sum(map(bool, raw))
        assert (prepared[:, 0].diff() >= 0).all()
        if options.get("height") == "box":
            assert prepared[:, 1:3].abs().max() <= 0.5 + 1e-6
        elif "straighten" not in options:
            assert prepared[:, 1].min() >= -1e-6
            assert prepared[:, 1].max() <= 200 + 1e-3  # a unit is at least a two-hundredth of the width
        stage.warnings(raw, prepared)


def test_a_core_doesnt_grow_with_ascenders_and_descenders() -> None:
    """Small letters alone, and the same with a tall one and a deep one beside them."""
    turns = np.linspace(0, 20 * np.pi, 2000)
    small = np.stack([40 * turns, 100 * np.cos(turns)], axis=1)
    tall, deep = [[3000.0, -100.0], [3000.0, 350.0]], [[3100.0, 100.0], [3100.0, -300.0]]
    stage, whole = PenStrokes(), PenStrokes(height="full")
    alone, beside = stage.prepare([small], None), stage.prepare([small, tall, deep], None)
    high = alone[:, 2].max() - alone[:, 2].min()
    assert float(beside[: len(alone), 2].max() - beside[: len(alone), 2].min()) == pytest.approx(float(high), rel=0.15)
    assert float(high) == pytest.approx(1.0, rel=0.1)
    ends = whole.prepare([small, tall, deep], None)[:, 2]
    assert (float(ends.min()), float(ends.max())) == pytest.approx((-0.5, 0.5))


def test_writing_on_a_slope_is_turned_and_slanted_writing_stands_upright() -> None:
    strokes = [stroke for stroke in writing(1) if len(stroke) > 1]
    level, upright = PenStrokes(straighten=True), PenStrokes(deslant=True)
    rise = math.radians(20)
    turn = np.array([[math.cos(rise), math.sin(rise)], [-math.sin(rise), math.cos(rise)]])
    turned, plain = level.prepare([stroke @ turn for stroke in strokes], None), level.prepare(strokes, None)
    assert abs(len(turned) - len(plain)) <= 0.05 * len(plain)
    tilt = [np.polyfit(row[:, 1].numpy(), row[:, 2].numpy(), 1)[0] for row in (turned, plain)]
    assert tilt[0] == pytest.approx(tilt[1], abs=0.05)
    slanted = [stroke @ np.array([[1.0, 0.0], [0.5, 1.0]]) for stroke in strokes]
    difference = upright.prepare(slanted, None)[:, 1:3] - upright.prepare(strokes, None)[:, 1:3]
    assert difference.abs().max() < 0.35  # of the height; undone, the slant would move points by over 0.5


@pytest.mark.parametrize(
    ("raw", "points"),
    [
        ([[5, 5]], [[0.0, 0.0, 0.0, 0.0]]),
        ([[5, 5, 5, 5, 5, 5]], [[1.0, 0.0, 0.0, 0.0]]),
        ([[5, 5], [5, 5]], [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]),
    ],
)
def test_dots_are_points(raw: Any, points: list[list[float]]) -> None:
    for kind in ("core", "full", "box"):
        assert PenStrokes(height=kind).prepare(raw, None).tolist() == points  # type: ignore[arg-type]


def test_a_coordinate_far_off_is_bounded_by_max_length() -> None:
    strokes: Any = [stroke.tolist() for stroke in writing(2)]
    strokes[1][50] = [1e11, 0.0]
    for kind in ("core", "full", "box"):  # scaled by what is far off, too, or over it
        stage = PenStrokes(height=kind, max_length=5000)  # type: ignore[arg-type]
        assert stage.length(strokes) <= 5000
    stage = PenStrokes(max_length=20)
    for ask in (stage.length, lambda raw: stage.prepare(raw, None)):
        with pytest.raises(
            InputError, match=r"pen strokes: would come to [\d,]+ points, 0\.2 of .* at most 20"
        ) as caught:
            ask(writing(2))
        assert caught.value.kind == "too long"


def test_a_million_points_are_no_matter() -> None:
    turns = np.linspace(0, 400, 1_000_000)
    prepared = PenStrokes().prepare([np.stack([50 * turns, 100 * np.sin(turns)], axis=1)], None)
    assert 500 < len(prepared) < 5000
    assert prepared[-1, 0] == 999_999


def test_ways_of_giving_an_input_are_equal(tmp_path: Path) -> None:
    strokes = [np.round(stroke) for stroke in writing(3)]
    path = tmp_path / "ink.inkml"
    traces = "".join(f"<trace>{', '.join(f'{x:.0f} {-y:.0f}' for x, y in stroke)}</trace>" for stroke in strokes)
    path.write_text(f'<ink xmlns="http://www.w3.org/2003/InkML">{traces}</ink>')
    changes: Any = [np.diff(stroke, axis=0, prepend=0.0).astype(int).ravel().tolist() for stroke in strokes]
    expected = PenStrokes().prepare(strokes, None)
    for raw in (path, str(path), FileSpan(path), path.read_bytes(), FileSpan(path.read_bytes()), {"strokes": strokes}):
        assert torch.equal(PenStrokes().prepare(raw, None), expected)
        assert PenStrokes().length(raw) == len(expected)
    assert torch.equal(PenStrokes(encoding="differences").prepare(changes, None), expected)
    downward = [stroke * [1, -1] for stroke in strokes]
    assert torch.equal(PenStrokes(y="down").prepare(downward, None), expected)


@pytest.mark.parametrize("raw", [None, 7, "", {}, [], [[1]], Path("none.inkml"), b"<ink/>", b"no ink"], ids=str)
def test_what_cant_be_read_is_refused_by_measuring_and_preparing_alike(raw: Any) -> None:
    stage = PenStrokes()
    messages = []
    for ask in (stage.length, lambda raw: stage.prepare(raw, None), stage.drawing):
        with pytest.raises(InputError) as caught:
            ask(raw)
        messages.append((caught.value.kind, str(caught.value)))
    assert len(set(messages)) == 1


def test_a_span_of_seconds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ink.inkml"
    path.write_text('<ink xmlns="http://www.w3.org/2003/InkML"><trace>1 2, 3 4</trace></ink>')
    assert PenStrokes().length(FileSpan(path)) > 1
    for span in (FileSpan(path, 0.5), FileSpan(path, end=1.0)):
        with pytest.raises(InputError, match=r"ink\.inkml.*: pen strokes have no start and end in seconds"):
            PenStrokes().length(span)


@pytest.mark.filterwarnings("error")
def test_writing_that_is_too_small_for_numbers_is_a_dot() -> None:
    for options in KINDS:
        assert len(PenStrokes(**options).prepare([[0, 0, 5e-324, 0], [0, 0]], None)) == 2


def test_places_are_numbers_of_the_original_points() -> None:
    stage, strokes = PenStrokes(), writing(4)
    prepared = stage.prepare(strokes, None)
    total = sum(map(len, strokes))
    steps = torch.arange(len(prepared), dtype=torch.float64)
    places = stage.locate(prepared, steps)
    assert places.dtype == torch.float64
    torch.testing.assert_close(places, prepared[:, 0].double())
    assert stage.locate(prepared, torch.tensor([-3.0, len(prepared), len(prepared) + 9.0])).tolist() == [
        0,
        total,
        total,
    ]
    between = stage.locate(prepared, torch.tensor([4.5]))
    assert float(between) == pytest.approx(float(places[4] + places[5]) / 2)
    # The place of a point, looked up in the original, is the point.
    original = np.concatenate(strokes)
    x = torch.from_numpy(np.interp(prepared[:, 0].numpy(), np.arange(total), original[:, 0])).float()
    within = prepared[:, 3] == 1
    scale = (x[within].max() - x[within].min()) / (prepared[within, 1].max() - prepared[within, 1].min())
    torch.testing.assert_close((x - x[0]) / scale, prepared[:, 1] - prepared[0, 1], atol=1e-2, rtol=0)


def test_drawings_show_every_original_point_and_every_point_on_the_way() -> None:
    stage, strokes = PenStrokes(y="down"), writing(6)
    raw: Any = [[], *(stroke.tolist() for stroke in strokes)]
    drawing = stage.preview(raw)
    assert drawing.unit == "point"
    for drawn, stroke in zip(drawing.strokes, strokes, strict=True):
        np.testing.assert_array_equal(drawn, stroke * [1, -1])
    prepared = stage.prepare(raw, None)
    on_the_way = stage.preview_of(prepared)
    assert len(on_the_way.strokes) == len(strokes)
    np.testing.assert_array_equal(np.concatenate(list(on_the_way.strokes)), prepared[:, 1:3].numpy())


@pytest.mark.parametrize(
    ("raw", "kinds"),
    [
        ([[5, 5, 5, 5]], ["single dot"]),
        ([[0, 0], [5, 5], [9, 3]], ["only dots"]),
        (writing(1), []),
        ([stroke.repeat(3, axis=0) for stroke in writing(1)], ["repeated points"]),
        ([*writing(1), writing(1)[0] + np.array([300_000.0, 0.0])], ["far apart"]),
        ([np.insert(writing(1)[0], 100, [0.0, 20000.0], axis=0), *writing(1)[1:]], ["jump"]),
    ],
    ids=["dot", "dots", "writing", "repeated", "far", "jump"],
)
def test_what_is_odd_is_told(raw: Any, kinds: list[str]) -> None:
    stage = PenStrokes()
    assert [kind for kind, _ in stage.warnings(raw, stage.prepare(raw, None))] == kinds


def test_in_a_chain_points_are_what_lengths_are_counted_in() -> None:
    chain = FeatureChain(stages=["PenStrokes"])  # type: ignore[list-item]
    assert (chain.measure.name, chain.output_size) == ("point", 4)
    assert chain.length(writing(0)) == len(chain(PaddedSequence.pad([chain.prepare(writing(0), None)])).rows()[0])
    with pytest.raises(ConfigError, match="height input should be 'core', 'full' or 'box'"):
        PenStrokes(height="tall")  # type: ignore[arg-type]


@pytest.mark.skipif("SEQPIPE_DATA" not in os.environ, reason="SEQPIPE_DATA names no folder of public data sets")
@pytest.mark.parametrize(("name", "options"), [("unipen_words", KINDS[0]), ("unipen_chars", KINDS[2])])
def test_real_writing_is_read(name: str, options: Any) -> None:
    stage = PenStrokes(**options, encoding="differences")
    path = Path(os.environ["SEQPIPE_DATA"]) / name / "dev.jsonl.gz"
    odd, lengths = 0, []
    for number, columns in read_manifest(path, "jsonl"):
        if number > 300:
            break
        raw = columns["strokes"]  # type: ignore[index]
        prepared = stage.prepare(raw, None)
        assert prepared.isfinite().all()
        assert len(prepared) == stage.length(raw)
        odd += bool(stage.warnings(raw, prepared))
        lengths.append(len(prepared))
    assert odd <= 6
    assert 10 < np.median(lengths) < 200
