import base64
import io
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest
import soundfile
from PIL import Image

from seqpipe.core.answer import Mark
from seqpipe.core.feature import Reader
from seqpipe.core.picture import Picture, Sound
from seqpipe.evaluation.report.labels import MAX_LANES
from seqpipe.evaluation.report.media import (
    LEAST_LINE,
    LEAST_PIXELS,
    MAX_LINE,
    PAGE_PIXELS,
    Figure,
    draw_picture,
    encode_sound,
)
from seqpipe.features.speech.waveform import Waveform

RATE = 8000


def content(uri: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))


def tone(hertz: float, seconds: float) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def test_a_recording_looks_like_its_tones_and_sounds_like_itself() -> None:
    samples = np.concatenate([tone(300, 1.0), tone(3000, 1.0)])
    stage, raw = Waveform(sample_rate=RATE), {"array": samples, "sampling_rate": RATE}
    picture = stage.preview(raw)
    assert (picture.start, picture.end) == (0.0, pytest.approx(2.0, abs=0.02))
    assert 0 <= picture.values.min() < picture.values.max() == 1
    low, high = (picture.values[:, steps].mean(axis=1).argmax() for steps in (slice(10, 90), slice(110, 190)))
    assert high < low  # the uppermost line comes first
    sound = stage.sound(raw)
    assert sound.rate == RATE
    heard, rate = soundfile.read(content(encode_sound(sound)[0]), dtype="float32")
    assert rate == RATE
    assert heard == pytest.approx(samples, abs=1e-4)


def test_what_has_no_picture_is_shown_as_text() -> None:
    class _Plain(Reader):
        pass

    assert _Plain().preview("turn left") == "turn left"
    assert _Plain().sound("turn left") is None


def test_long_inputs_are_cut() -> None:
    uri, truncated = encode_sound(Sound(np.zeros(40 * RATE, dtype=np.float32), RATE))
    assert truncated
    assert soundfile.info(content(uri)).duration == pytest.approx(30.0)
    assert not encode_sound(Sound(np.zeros(RATE, dtype=np.float32), RATE))[1]
    figure = draw_picture(Picture(np.zeros((8, 5000)), 0.0, 50.0, "s"), [Mark("a", 45.0, 46.0, 1.0, 0)], set())
    assert figure.truncated
    assert figure.bands == figure.labels == []
    assert matplotlib.image.imread(content(figure.uri)).shape[:2] == (8, 3000)


def test_marks_lie_where_they_were_found() -> None:
    marks = [
        Mark("o", 10.5, 10.6, 0.9, 0),
        Mark("n", 10.6, 10.7, 0.4, 0),
        Mark(" ", 10.8, 10.9, 0.9),
        Mark("<up>", 11.0, 11.2, 0.9, 1),
    ]
    figure = draw_picture(Picture(np.zeros((8, 100)), 10.0, 12.0, "s"), marks, {1})
    assert figure.width == LEAST_PIXELS
    a_second = LEAST_PIXELS / 2
    assert [band.left for band in figure.bands] == pytest.approx([0.5 * a_second, 0.6 * a_second, 1.0 * a_second])
    assert [(label.text, label.wrong, label.unsure) for label in figure.labels] == [
        ("on", False, True),
        ("<up>", True, False),
    ]
    assert figure.labels[0].middle == pytest.approx(0.6 * a_second, abs=1)
    assert figure.ticks[0] == (0.0, "10 s")
    assert "10.60 to 10.70 s, confidence 0.40" in figure.bands[1].title


def test_labels_do_not_overlap_until_there_is_no_room() -> None:
    marks = [Mark("word", 0.02 * index, 0.02 * index + 0.01, 1.0, index) for index in range(50)]
    figure = draw_picture(Picture(np.zeros((8, 100)), 0.0, 1.0, "s"), marks, set())
    assert figure.lanes == MAX_LANES
    few = draw_picture(Picture(np.zeros((8, 100)), 0.0, 1.0, "s"), marks[::6], set())
    for lane in range(few.lanes):
        middles = [label.middle for label in few.labels if label.lane == lane]
        assert all(later - earlier >= 8 * 4 for earlier, later in pairwise(middles))


def pixels(figure: Figure) -> np.ndarray:
    return np.asarray(Image.open(content(figure.uri)))


def test_an_image_is_grey_and_keeps_its_shape() -> None:
    values = np.linspace(0, 1, 32 * 300).reshape(32, 300)
    figure = draw_picture(Picture(values, 0.0, 600.0, "px"), [Mark("a", 300.0, 306.0, 1.0, 0)], set())
    assert figure.as_seen
    assert pixels(figure) == pytest.approx(255 * values, abs=0.51)
    assert figure.width / figure.height == pytest.approx(300 / 32, rel=0.02)
    assert figure.bands[0].left == pytest.approx(figure.width / 2, abs=0.5)
    assert figure.bands[0].title == "a: 300 to 306 px, confidence 1.00"
    coloured = draw_picture(Picture(values, 0.0, 3.0, "s"), [], set())
    assert pixels(coloured).shape == (32, 300, 3)


@pytest.mark.parametrize(("height", "width"), [(64, 900), (128, 2500), (64, 2600), (28, 28), (300, 200), (40, 9000)])
def test_a_line_of_any_size_is_readable(height: int, width: int) -> None:
    figure = draw_picture(Picture(np.ones((height, width)), 0.0, width, "px"), [], set())
    assert LEAST_LINE <= figure.height <= MAX_LINE
    assert figure.width <= max(PAGE_PIXELS, LEAST_LINE / height * width + 1)
    assert figure.truncated == (width == 9000)
    if not figure.truncated:
        assert figure.width / figure.height == pytest.approx(width / height, rel=0.02)
    assert pixels(figure).shape[1] <= 1.5 * figure.width + 1 or pixels(figure).shape == (height, width)
