"""What the libraries raise that decode inputs, of whatever type, is the failure of the input in hand."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import PIL.JpegImagePlugin
import PIL.PngImagePlugin
import PIL.TiffImagePlugin
import pytest
import soundfile
from PIL import Image

from seqpipe import InputError, LineImage, PenStrokes, Waveform
from seqpipe.data.formats import safe_xml


class Unknown(Exception):
    """Of a library's next version."""


SEEN = [
    *(OSError("bad"), SyntaxError("bad"), ValueError("bad"), TypeError("bad"), KeyError("bad"), IndexError("bad")),
    *(AttributeError("bad"), EOFError("bad"), OverflowError("bad"), struct.error("bad"), zlib.error("bad")),
    *(RuntimeError("bad"), AssertionError("bad"), RecursionError("bad"), UnicodeDecodeError("utf-8", b"", 0, 1, "bad")),
    *(ZeroDivisionError("bad"), NotImplementedError("bad"), LookupError("bad"), soundfile.SoundFileError("bad")),
]
TYPES = [*SEEN, Unknown("bad"), Unknown()]
INK = b"<ink><trace>1 1, 2 2, 3 1</trace></ink>"


def image(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(file, form)
    return file.getvalue()


def sound(form: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.linspace(-0.5, 0.5, 4000), 16_000, format=form)
    return file.getvalue()


READERS: dict[str, tuple[Callable[[], Any], bytes, Any, str]] = {
    "audio, opening": (Waveform, sound("WAV"), soundfile.SoundFile, "__init__"),
    "audio, reading": (Waveform, sound("FLAC"), soundfile.SoundFile, "read"),
    "PNG": (LineImage, image("PNG"), PIL.PngImagePlugin.PngImageFile, "load"),
    "JPEG": (LineImage, image("JPEG"), PIL.JpegImagePlugin.JpegImageFile, "load"),
    "TIFF": (LineImage, image("TIFF"), PIL.TiffImagePlugin.TiffImageFile, "load"),
    "InkML": (PenStrokes, INK, safe_xml.ElementTree, "XMLParser"),
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("error", TYPES, ids=lambda error: type(error).__name__)
def test_every_type_is_a_failure(name: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, content, owner, call = READERS[name]
    reader().prepare(content, None)  # as it is, it can be read

    def fail(*_: Any, **__: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(owner, call, fail)
    if call == "__init__":
        monkeypatch.setattr(owner, "__del__", lambda _: None)
    with pytest.raises(InputError) as caught:
        reader().prepare(content, None)
    assert caught.value.kind == "undecodable"
    assert f"<{len(content)} bytes>" in str(caught.value)
    assert "bad" in str(caught.value) or type(error).__name__ in str(caught.value)
    assert caught.value.__cause__ is error


def test_memory_that_does_not_suffice_is_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    with pytest.raises(InputError, match="3 TiB") as caught:
        Waveform().prepare(sound("WAV"), None)
    assert caught.value.kind == "too large"


@pytest.mark.parametrize("name", ["a.raw", "A.RAW"])
def test_samples_without_a_header(name: str, tmp_path: Path) -> None:
    """soundfile 0.13 asks for a rate by the name alone, with a TypeError."""
    path = tmp_path / name
    path.write_bytes(np.arange(-800, 800, dtype=np.int16).tobytes())
    for call in (Waveform().length, lambda raw: Waveform().prepare(raw, None)):
        with pytest.raises(InputError, match="state no rate: make a WAV file") as caught:
            call(path)
        assert caught.value.kind == "undecodable"
    path.write_bytes(sound("CAF"))  # what has a header says all itself
    assert len(Waveform().prepare(path, None)) == 4000
