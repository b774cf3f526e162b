"""Paper and ink are told apart, whatever light, pen and polarity."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from seqpipe import LineImage
from seqpipe.features.image.ink import even_light, is_dark, stretched

Written = Callable[..., np.ndarray]


@pytest.fixture
def line(written: Written) -> np.ndarray:
    return written("Off to the market of Lyon.", size=48).astype(np.float32) / 255


def noise(shape: tuple[int, ...], scale: float = 0.03) -> np.ndarray:
    return np.random.default_rng(0).normal(0, scale, shape).astype(np.float32)


def shadow(shape: tuple[int, ...], darkest: float = 0.3) -> np.ndarray:
    """Light falling from right to left, softly, in the middle third of the line."""
    return np.interp(np.linspace(0, 3, shape[1]), [0, 1, 2, 3], [darkest, darkest, 1, 1])[None].astype(np.float32)


class TestPolarity:
    @pytest.mark.parametrize("words", ["I", "MMMMM", "of Lyon", "........................", "a" + 40 * " " + "a"])
    @pytest.mark.parametrize("margin", [0, 3, 40])
    def test_ink_is_what_there_is_less_of(self, words: str, margin: int, written: Written) -> None:
        values = written(words, size=60, margin=margin).astype(np.float32) / 255
        if (values < 0.5).mean() > 0.5:  # the letter I cut out to its edges
            values = np.pad(values, 20, constant_values=1)
        assert is_dark(values)
        assert not is_dark(1 - values)

    @pytest.mark.parametrize("contrast", [0.05, 0.3, 1.0])
    def test_light_noise_and_contrast_change_nothing(self, line: np.ndarray, contrast: float) -> None:
        for light in (1, shadow(line.shape)):
            for dark in (line, 1 - line):
                values = (0.1 + 0.8 * (contrast * dark + (1 - contrast) / 2)) * light
                values = np.clip(values + noise(line.shape, 0.03 * contrast), 0, 1)
                assert is_dark(values) == (dark is line)

    def test_given_or_found_it_is_the_same(self, line: np.ndarray) -> None:
        found = LineImage().prepare(line, None)
        assert torch.equal(LineImage(ink="dark").prepare(line, None), found)
        inverted = LineImage().prepare(1 - line, None)
        assert torch.equal(LineImage(ink="light").prepare(1 - line, None), inverted)
        assert int((inverted.int() - found.int()).abs().max()) <= 2
        assert float((LineImage(ink="light").prepare(line, None) > 127).float().mean()) > 0.5  # as asked for


class TestContrast:
    @pytest.mark.parametrize(("paper", "ink"), [(1.0, 0.0), (0.9, 0.2), (0.6, 0.45), (0.3, 0.05)])
    def test_paper_is_0_and_ink_1(self, line: np.ndarray, paper: float, ink: float) -> None:
        want = LineImage().prepare(line, None).int()
        got = LineImage().prepare(ink + (paper - ink) * line, None).int()
        assert float((got - want).abs().float().mean()) < 3
        assert (int(got.min()), int(got.max())) == (0, 255)

    def test_a_dot_on_much_paper_does_not_bring_up_the_grain(self) -> None:
        values = 0.9 + noise((64, 800), 0.01)
        values[30:34, 400:404] = 0.1
        ink = stretched(1 - values)
        assert ink[30:34, 400:404].min() == 1
        assert np.quantile(ink, 0.99) < 0.1

    def test_specks_do_not_hide_pencil(self, line: np.ndarray) -> None:
        pencil = 0.8 + 0.2 * line
        draw = np.random.default_rng(0)
        pencil[draw.integers(len(line), size=20), draw.integers(line.shape[1], size=20)] = 0
        ink = stretched(1 - pencil)
        assert np.median(ink[line < 0.1]) > 0.35

    @pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
    def test_a_blank_image_is_paper(self, level: float) -> None:
        for options in ({}, {"background": "local"}, {"slant": True, "skew": True}, {"ink": "light"}):
            assert not LineImage(**options).prepare(np.full((50, 200), level), None).any()

    def test_noise_of_a_blank_image_stays_faint(self) -> None:
        prepared = LineImage().prepare(np.clip(0.9 + noise((64, 400), 0.004), 0, 1), None)
        assert float(prepared.float().mean()) < 15


class TestBackground:
    @pytest.mark.parametrize("dark", [True, False])
    def test_shadows_vanish(self, line: np.ndarray, dark: bool) -> None:
        paper, ink = (0.9, 0.15) if dark else (0.2, 0.95)
        lit = ink + (paper - ink) * line
        shaded = lit * shadow(line.shape)
        want = LineImage(height=48).prepare(lit, None).float()
        got = {
            background: LineImage(height=48, background=background).prepare(shaded, None).float()
            for background in ("none", "local")
        }
        error = {background: float((values - want).abs().mean()) for background, values in got.items()}
        assert error["local"] < 12
        assert error["local"] < 0.5 * error["none"]

    def test_even_paper_is_left_alone(self, line: np.ndarray) -> None:
        want = LineImage().prepare(0.1 + 0.8 * line, None).float()
        got = LineImage(background="local").prepare(0.1 + 0.8 * line, None).float()
        assert float((got - want).abs().mean()) < 4

    @pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (4, 9), (5, 7)])
    def test_any_shape_is_evened(self, shape: tuple[int, int]) -> None:
        draw = np.random.default_rng(0)
        evened = even_light(draw.random(shape, dtype=np.float32), dark=True)
        assert evened.shape == shape
        assert (evened >= 0).all()
        assert (evened <= 1).all()
